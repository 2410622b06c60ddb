// A bridge per network: the driver to change. It only plans: the engine makes what is described here, and removes it even when this
// process is gone. What each method promises is in proto/gantry/network/v1; a second call with the same request has the same answer.
package main

import (
	"context"
	"net/netip"
	"strconv"

	networkv1 "gantry-example/gen/gantry/network/v1"
	pluginv1 "gantry-example/gen/gantry/plugin/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
)

const contract = "network"

// Networks are sent whole with every call, so there are none to have or to miss.
const refKind = pluginv1.Ref_KIND_UNSPECIFIED

var methods = []string{"createNetwork", "removeNetwork", "attach", "detach"}

// The contract's message Properties as JSON: the engine makes a network namespace for each container, allocates the addresses and serves DNS.
const properties = `{"features": [], "namespace": "own", "dns": true, "ipam": true}`

type driver struct {
	networkv1.UnimplementedNetworkDriverServer
}

func newDriver(string) (*driver, error) {
	return &driver{}, nil
}

func (d *driver) register(server *grpc.Server) {
	networkv1.RegisterNetworkDriverServer(server, d)
}

func (*driver) names() ([]string, error) {
	return nil, nil
}

func (*driver) CreateNetwork(_ context.Context, r *networkv1.CreateNetworkRequest) (*networkv1.NetworkPlan, error) {
	network := r.Network
	mtu, err := mtuOf(network)
	if err != nil {
		return nil, err
	}
	bridge := &networkv1.Link{Kind: networkv1.Link_BRIDGE, Name: bridgeOf(network), Mtu: mtu}
	isolation := &networkv1.Isolation{Bridge: bridge.Name, Internal: network.Internal, InterContainer: true}
	plan := &networkv1.NetworkPlan{Network: network, Links: []*networkv1.Link{bridge}, Isolation: isolation, Sysctls: sysctls(network.Ipv6)}
	for _, subnet := range network.Subnets {
		prefix, err := netip.ParsePrefix(subnet.Cidr)
		if err != nil {
			return nil, fail(codes.InvalidArgument, "SUBNET_INVALID", "subnet %s is no prefix such as 10.10.0.0/16", subnet.Cidr)
		}
		isolation.Subnets = append(isolation.Subnets, subnet.Cidr)
		if subnet.Gateway != nil {
			bridge.Addresses = append(bridge.Addresses, *subnet.Gateway+"/"+strconv.Itoa(prefix.Bits()))
		}
		if !network.Internal {
			plan.Masquerade = append(plan.Masquerade, &networkv1.Masquerade{FromCidr: subnet.Cidr, ExceptOutLink: bridge.Name})
		}
	}
	// The machine's own 127.0.0.1 is answered by a container behind a published port.
	plan.Sysctls["net.ipv4.conf.IFNAME.route_localnet"] = "1"
	return plan, nil
}

func (*driver) RemoveNetwork(context.Context, *networkv1.RemoveNetworkRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (*driver) Attach(_ context.Context, r *networkv1.AttachRequest) (*networkv1.EndpointPlan, error) {
	network, endpoint := r.Network, r.Endpoint
	mtu, err := mtuOf(network)
	if err != nil {
		return nil, err
	}
	// The engine numbers it.
	name, master := "eth%d", bridgeOf(network)
	if endpoint.Ifname != nil {
		name = *endpoint.Ifname
	}
	hasV6 := false
	for _, address := range endpoint.Addresses {
		prefix, err := netip.ParsePrefix(address)
		hasV6 = hasV6 || err == nil && prefix.Addr().Is6()
	}
	plan := &networkv1.EndpointPlan{
		Link:        &networkv1.Link{Kind: networkv1.Link_VETH, Name: name, Master: &master, Mtu: mtu},
		Mac:         endpoint.Mac,
		Addresses:   endpoint.Addresses,
		Publishable: !network.Internal,
		Sysctls:     sysctls(hasV6),
	}
	for _, subnet := range network.Subnets {
		if network.Internal || subnet.Gateway == nil {
			continue
		}
		gateway, err := netip.ParseAddr(*subnet.Gateway)
		if err != nil {
			return nil, fail(codes.InvalidArgument, "GATEWAY_INVALID", "gateway %s is no address", *subnet.Gateway)
		}
		to := "0.0.0.0/0"
		if gateway.Is6() {
			to = "::/0"
			plan.Gateway6 = subnet.Gateway
		} else {
			plan.Gateway = subnet.Gateway
		}
		plan.Routes = append(plan.Routes, &networkv1.Route{To: to, Via: subnet.Gateway})
	}
	return plan, nil
}

func (*driver) Detach(context.Context, *networkv1.DetachRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// At most 15 bytes, and no other network's.
func bridgeOf(network *networkv1.Network) string {
	return "gb-" + network.Id[:min(12, len(network.Id))]
}

// What users give with -o; gantry-plugin.json names it too.
func mtuOf(network *networkv1.Network) (*uint32, error) {
	for option := range network.Options {
		if option != "mtu" {
			return nil, fail(codes.InvalidArgument, "OPTION_INVALID", "there is no option %s, only mtu", option)
		}
	}
	text, given := network.Options["mtu"]
	if !given {
		return nil, nil
	}
	value, err := strconv.ParseUint(text, 10, 16)
	if err != nil || value < 68 {
		return nil, fail(codes.InvalidArgument, "OPTION_INVALID", "option mtu is %q: a number from 68 to 65535", text)
	}
	mtu := uint32(value)
	return &mtu, nil
}

func sysctls(hasV6 bool) map[string]string {
	if hasV6 {
		return map[string]string{"net.ipv6.conf.IFNAME.accept_ra": "0", "net.ipv6.conf.IFNAME.accept_dad": "0"}
	}
	return map[string]string{"net.ipv6.conf.IFNAME.disable_ipv6": "1"}
}
