"""A bridge per network: the driver to change. It only plans: the engine makes what is described here, and removes it even when this
process is gone. What each method promises is in proto/gantry/network/v1; a second call with the same request has the same answer."""

import ipaddress

import grpc
from google.protobuf import empty_pb2
from gantry.network.v1 import network_pb2, network_pb2_grpc
from gantry.plugin.v1 import plugin_pb2

from failure import fail

CONTRACT = "network"
# Networks are sent whole with every call, so there are none to have or to miss.
REF_KIND = plugin_pb2.Ref.KIND_UNSPECIFIED
METHODS = ["createNetwork", "removeNetwork", "attach", "detach"]
# The contract's message Properties as JSON: the engine makes a network namespace for each container, allocates the addresses and serves DNS.
PROPERTIES = b'{"features": [], "namespace": "own", "dns": true, "ipam": true}'


class Driver(network_pb2_grpc.NetworkDriverServicer):
    def __init__(self, data_dir):
        pass

    def register(self, server):
        network_pb2_grpc.add_NetworkDriverServicer_to_server(self, server)

    def names(self):
        return []

    def CreateNetwork(self, request, context):
        network = request.network
        subnets = [(subnet, prefix_of(subnet, context)) for subnet in network.subnets]
        bridge = network_pb2.Link(
            kind=network_pb2.Link.BRIDGE,
            name=bridge_of(network),
            mtu=mtu_of(network, context),
            addresses=[f"{subnet.gateway}/{prefix.prefixlen}" for subnet, prefix in subnets if subnet.HasField("gateway")],
        )
        nat = [] if network.internal else [network_pb2.Masquerade(from_cidr=subnet.cidr, except_out_link=bridge.name) for subnet, _ in subnets]
        return network_pb2.NetworkPlan(
            network=network,
            links=[bridge],
            masquerade=nat,
            isolation=network_pb2.Isolation(
                bridge=bridge.name, internal=network.internal, inter_container=True, subnets=[subnet.cidr for subnet, _ in subnets]
            ),
            # The machine's own 127.0.0.1 is answered by a container behind a published port.
            sysctls={"net.ipv4.conf.IFNAME.route_localnet": "1", **sysctls(network.ipv6)},
        )

    def RemoveNetwork(self, request, context):
        return empty_pb2.Empty()

    def Attach(self, request, context):
        network, endpoint = request.network, request.endpoint
        gateways = [] if network.internal else [subnet.gateway for subnet in network.subnets if subnet.HasField("gateway")]
        four = [gateway for gateway in gateways if ":" not in gateway]
        six = [gateway for gateway in gateways if ":" in gateway]
        return network_pb2.EndpointPlan(
            link=network_pb2.Link(
                kind=network_pb2.Link.VETH,
                # The engine numbers it.
                name=endpoint.ifname if endpoint.HasField("ifname") else "eth%d",
                master=bridge_of(network),
                mtu=mtu_of(network, context),
            ),
            mac=endpoint.mac if endpoint.HasField("mac") else None,
            addresses=endpoint.addresses,
            routes=[network_pb2.Route(to="::/0" if gateway in six else "0.0.0.0/0", via=gateway) for gateway in gateways],
            gateway=four[0] if four else None,
            gateway6=six[0] if six else None,
            publishable=not network.internal,
            sysctls=sysctls(any(":" in address for address in endpoint.addresses)),
        )

    def Detach(self, request, context):
        return empty_pb2.Empty()


def bridge_of(network):
    """At most 15 bytes, and no other network's."""
    return "gb-" + network.id[:12]


def prefix_of(subnet, context):
    try:
        return ipaddress.ip_network(subnet.cidr)
    except ValueError:
        fail(context, grpc.StatusCode.INVALID_ARGUMENT, "SUBNET_INVALID", f"subnet {subnet.cidr} is no prefix such as 10.10.0.0/16")


def mtu_of(network, context):
    """What users give with -o; gantry-plugin.json names it too."""
    for option in network.options:
        if option != "mtu":
            fail(context, grpc.StatusCode.INVALID_ARGUMENT, "OPTION_INVALID", f"there is no option {option}, only mtu")
    text = network.options.get("mtu")
    if text is None:
        return None
    if not text.isdecimal() or not 68 <= int(text) <= 65535:
        fail(context, grpc.StatusCode.INVALID_ARGUMENT, "OPTION_INVALID", f"option mtu is {text!r}: a number from 68 to 65535")
    return int(text)


def sysctls(has_v6):
    if has_v6:
        return {"net.ipv6.conf.IFNAME.accept_ra": "0", "net.ipv6.conf.IFNAME.accept_dad": "0"}
    return {"net.ipv6.conf.IFNAME.disable_ipv6": "1"}
