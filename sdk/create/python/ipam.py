"""Addresses out of a file: the driver to change, or to ask a service instead. What each method promises is in proto/gantry/ipam/v1; a second call
with the same request has the same answer."""

import ipaddress
import json
import os
import threading

import grpc
from google.protobuf import empty_pb2
from gantry.ipam.v1 import ipam_pb2, ipam_pb2_grpc
from gantry.plugin.v1 import plugin_pb2

from failure import fail

CONTRACT = "ipam"
# The engine releases what it does not need any more, and asks for the rest again: it compares nothing.
REF_KIND = plugin_pb2.Ref.KIND_UNSPECIFIED
METHODS = ["requestPool", "releasePool", "requestAddress", "releaseAddress"]
# The contract's message Properties as JSON: this one has none.
PROPERTIES = b""


class Driver(ipam_pb2_grpc.IpamDriverServicer):
    def __init__(self, data_dir):
        self.file = os.path.join(data_dir, "pools.json")
        # By the id of the request that a subnet is for: what was wished, the subnet, the range and the addresses by owner.
        self.pools = {}
        self.lock = threading.Lock()
        if os.path.exists(self.file):
            with open(self.file) as file:
                self.pools = json.load(file)

    def register(self, server):
        ipam_pb2_grpc.add_IpamDriverServicer_to_server(self, server)

    def names(self):
        return []

    def keep(self, context, undo):
        """The old file or the new one, whole: what was answered is kept, and what cannot be is taken back."""
        try:
            with open(self.file + ".new", "w") as file:
                json.dump(self.pools, file)
                file.flush()
                os.fsync(file.fileno())
            os.rename(self.file + ".new", self.file)
        except OSError as error:
            undo()
            fail(context, grpc.StatusCode.INTERNAL, "FILE_UNWRITABLE", f"cannot keep what was allocated: {error}")

    def RequestPool(self, request, context):
        wish = [request.cidr, request.range, request.ipv6]
        with self.lock:
            known = self.pools.get(request.request_id)
            if known is None:
                cidr = self.subnet(request, context)
                known = {"wish": wish, "cidr": str(cidr), "range": str(self.range_in(cidr, request, context)), "addresses": {}}
                self.pools[request.request_id] = known
                self.keep(context, lambda: self.pools.pop(request.request_id))
            if known["wish"] != wish:
                reason = f"pool {request.request_id} exists with other parameters"
                fail(context, grpc.StatusCode.ALREADY_EXISTS, "POOL_EXISTS", reason)
            return ipam_pb2.Pool(pool_id=request.request_id, cidr=known["cidr"])

    def subnet(self, request, context):
        """The wished one, or the first that nobody has."""
        taken = {pool_id: ipaddress.ip_network(pool["cidr"]) for pool_id, pool in self.pools.items()}
        if request.cidr:
            cidr = prefix(request.cidr)
            if cidr is None:
                fail(context, grpc.StatusCode.INVALID_ARGUMENT, "CIDR_INVALID", f"{request.cidr} is no prefix such as 10.10.0.0/16")
            for pool_id, other in taken.items():
                if cidr.overlaps(other):
                    fail(context, grpc.StatusCode.PERMISSION_DENIED, "POOL_OVERLAP", f"{cidr} overlaps pool {pool_id}")
            return cidr
        others = [*taken.values(), *filter(None, map(prefix, request.exclude))]
        # A part of what is for everybody's own use, fd00::/8, and the second half of 10.0.0.0/8.
        block, length = ("fd67:616e:7472::/48", 64) if request.ipv6 else ("10.128.0.0/9", 24)
        for cidr in ipaddress.ip_network(block).subnets(new_prefix=length):
            if not any(cidr.overlaps(other) for other in others):
                return cidr
        fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "POOLS_EXHAUSTED", "every subnet of this driver is taken")

    def range_in(self, cidr, request, context):
        if not request.range:
            return cidr
        found = prefix(request.range)
        if found is None or found.version != cidr.version or not found.subnet_of(cidr):
            fail(context, grpc.StatusCode.INVALID_ARGUMENT, "RANGE_INVALID", f"range {request.range} is no part of {cidr}")
        return found

    def ReleasePool(self, request, context):
        with self.lock:
            known = self.pools.pop(request.pool_id, None)
            if known is not None:
                self.keep(context, lambda: self.pools.update({request.pool_id: known}))
        return empty_pb2.Empty()

    def RequestAddress(self, request, context):
        with self.lock:
            pool = self.pools.get(request.pool_id)
            if pool is None:
                fail(context, grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND", f"no pool {request.pool_id}")
            held = pool["addresses"].get(request.owner)
            if held is not None and request.preferred not in ("", held):
                fail(context, grpc.StatusCode.ALREADY_EXISTS, "OWNER_HAS_ADDRESS", f"{request.owner} has {held} already")
            if held is None:
                held = self.free_address(pool, request.preferred, context)
                pool["addresses"][request.owner] = held
                self.keep(context, lambda: pool["addresses"].pop(request.owner))
            return ipam_pb2.AddressAnswer(address=f"{held}/{ipaddress.ip_network(pool['cidr']).prefixlen}")

    def free_address(self, pool, preferred, context):
        cidr, taken = ipaddress.ip_network(pool["cidr"]), set(pool["addresses"].values())
        if preferred:
            address = usable(preferred, cidr)
            if address is None:
                reason = f"{preferred} is no address of {cidr} for a container"
                fail(context, grpc.StatusCode.INVALID_ARGUMENT, "ADDRESS_INVALID", reason)
            if address in taken:
                fail(context, grpc.StatusCode.ALREADY_EXISTS, "ADDRESS_TAKEN", f"{preferred} is taken")
            return address
        for candidate in ipaddress.ip_network(pool["range"]):
            address = usable(candidate, cidr)
            if address is not None and address not in taken:
                return address
        fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "ADDRESSES_EXHAUSTED", f"no address of {pool['range']} is left")

    def ReleaseAddress(self, request, context):
        with self.lock:
            addresses = self.pools.get(request.pool_id, {"addresses": {}})["addresses"]
            held = addresses.pop(request.owner, None)
            if held is not None:
                self.keep(context, lambda: addresses.update({request.owner: held}))
        return empty_pb2.Empty()


def prefix(text):
    """None when it is none. Without a length it is an address."""
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def usable(text, cidr):
    """Neither the subnet's own address, the first, nor that of all in it, the last of IPv4. The two of a /31 are both for use."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    is_inside = address.version == cidr.version and address in cidr
    is_last = address.version == 4 and address == cidr.broadcast_address
    is_special = cidr.prefixlen < cidr.max_prefixlen - 1 and (address == cidr.network_address or is_last)
    return str(address) if is_inside and not is_special else None
