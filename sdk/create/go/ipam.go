// Addresses out of a file: the driver to change, or to ask a service instead. What each method promises is in proto/gantry/ipam/v1; a second call
// with the same request has the same answer.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	ipamv1 "gantry-example/gen/gantry/ipam/v1"
	pluginv1 "gantry-example/gen/gantry/plugin/v1"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
)

const contract = "ipam"

// The engine releases what it does not need any more, and asks for the rest again: it compares nothing.
const refKind = pluginv1.Ref_KIND_UNSPECIFIED

var methods = []string{"requestPool", "releasePool", "requestAddress", "releaseAddress"}

// The contract's message Properties as JSON: this one has none.
const properties = ""

// A subnet that one network uses, by the id of its request.
type pool struct {
	Wish  wish
	Cidr  netip.Prefix
	Range netip.Prefix
	// By owner.
	Addresses map[string]netip.Addr
}

type wish struct {
	Cidr, Range string
	Ipv6        bool
}

type driver struct {
	ipamv1.UnimplementedIpamDriverServer
	file  string
	mutex sync.Mutex
	pools map[string]*pool
}

func newDriver(dataDir string) (*driver, error) {
	d := &driver{file: filepath.Join(dataDir, "pools.json"), pools: map[string]*pool{}}
	text, err := os.ReadFile(d.file)
	if errors.Is(err, os.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	return d, json.Unmarshal(text, &d.pools)
}

// The old file or the new one, whole: what was answered is kept.
func (d *driver) save() error {
	text, err := json.Marshal(d.pools)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(d.file+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(d.file+".new", d.file)
}

// Saves, or takes back what was changed and tells why.
func (d *driver) keep(undo func()) error {
	err := d.save()
	if err == nil {
		return nil
	}
	undo()
	return fail(codes.Internal, "FILE_UNWRITABLE", "cannot keep what was allocated: %v", err)
}

func (d *driver) register(server *grpc.Server) {
	ipamv1.RegisterIpamDriverServer(server, d)
}

func (*driver) names() ([]string, error) {
	return nil, nil
}

func (d *driver) RequestPool(_ context.Context, r *ipamv1.PoolRequest) (*ipamv1.Pool, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	wished := wish{r.Cidr, r.Range, r.Ipv6}
	if known, found := d.pools[r.RequestId]; found {
		if known.Wish != wished {
			return nil, fail(codes.AlreadyExists, "POOL_EXISTS", "pool %s exists with other parameters", r.RequestId)
		}
		return &ipamv1.Pool{PoolId: r.RequestId, Cidr: known.Cidr.String()}, nil
	}
	made, err := d.choose(r)
	if err != nil {
		return nil, err
	}
	made.Wish = wished
	d.pools[r.RequestId] = made
	if err := d.keep(func() { delete(d.pools, r.RequestId) }); err != nil {
		return nil, err
	}
	return &ipamv1.Pool{PoolId: r.RequestId, Cidr: made.Cidr.String()}, nil
}

func (d *driver) choose(r *ipamv1.PoolRequest) (*pool, error) {
	cidr, err := d.subnet(r)
	if err != nil {
		return nil, err
	}
	made := &pool{Cidr: cidr, Range: cidr, Addresses: map[string]netip.Addr{}}
	if r.Range == "" {
		return made, nil
	}
	made.Range, err = netip.ParsePrefix(r.Range)
	if err != nil || !cidr.Contains(made.Range.Addr()) || made.Range.Bits() < cidr.Bits() {
		return nil, fail(codes.InvalidArgument, "RANGE_INVALID", "range %s is no part of %s", r.Range, cidr)
	}
	return made, nil
}

// The wished one, or the first that nobody has.
func (d *driver) subnet(r *ipamv1.PoolRequest) (netip.Prefix, error) {
	if r.Cidr != "" {
		cidr, err := netip.ParsePrefix(r.Cidr)
		if err != nil {
			return cidr, fail(codes.InvalidArgument, "CIDR_INVALID", "%s is no prefix such as 10.10.0.0/16", r.Cidr)
		}
		if other := d.overlapping(cidr); other != "" {
			return cidr, fail(codes.PermissionDenied, "POOL_OVERLAP", "%s overlaps pool %s", r.Cidr, other)
		}
		return cidr.Masked(), nil
	}
	var excluded []netip.Prefix
	for _, text := range r.Exclude {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			excluded = append(excluded, prefix)
		}
	}
	for number := range 1 << 15 {
		// The second half of 10.0.0.0/8, and a part of what is for everybody's own use: fd00::/8.
		address := [16]byte{0xfd, 0x67, 0x61, 0x6e, 0x74, 0x72, byte(number >> 8), byte(number)}
		cidr := netip.PrefixFrom(netip.AddrFrom16(address), 64)
		if !r.Ipv6 {
			cidr = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(128 + number>>8), byte(number), 0}), 24)
		}
		if d.overlapping(cidr) == "" && !overlaps(cidr, excluded) {
			return cidr, nil
		}
	}
	return netip.Prefix{}, fail(codes.ResourceExhausted, "POOLS_EXHAUSTED", "every subnet of this driver is taken")
}

func (d *driver) overlapping(cidr netip.Prefix) string {
	for id, other := range d.pools {
		if other.Cidr.Overlaps(cidr) {
			return id
		}
	}
	return ""
}

func overlaps(cidr netip.Prefix, others []netip.Prefix) bool {
	for _, other := range others {
		if other.Overlaps(cidr) {
			return true
		}
	}
	return false
}

func (d *driver) ReleasePool(_ context.Context, r *ipamv1.PoolId) (*emptypb.Empty, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	known, found := d.pools[r.PoolId]
	if !found {
		return &emptypb.Empty{}, nil
	}
	delete(d.pools, r.PoolId)
	return &emptypb.Empty{}, d.keep(func() { d.pools[r.PoolId] = known })
}

func (d *driver) RequestAddress(_ context.Context, r *ipamv1.AddressRequest) (*ipamv1.AddressAnswer, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	from, found := d.pools[r.PoolId]
	if !found {
		return nil, fail(codes.NotFound, "POOL_NOT_FOUND", "no pool %s", r.PoolId)
	}
	held, known := from.Addresses[r.Owner]
	if known && r.Preferred != "" && r.Preferred != held.String() {
		return nil, fail(codes.AlreadyExists, "OWNER_HAS_ADDRESS", "%s has %s already", r.Owner, held)
	}
	if known {
		return answer(held, from), nil
	}
	address, err := from.choose(r.Preferred)
	if err != nil {
		return nil, err
	}
	from.Addresses[r.Owner] = address
	if err := d.keep(func() { delete(from.Addresses, r.Owner) }); err != nil {
		return nil, err
	}
	return answer(address, from), nil
}

func answer(address netip.Addr, from *pool) *ipamv1.AddressAnswer {
	return &ipamv1.AddressAnswer{Address: netip.PrefixFrom(address, from.Cidr.Bits()).String()}
}

func (p *pool) choose(preferred string) (netip.Addr, error) {
	taken := map[netip.Addr]bool{}
	for _, address := range p.Addresses {
		taken[address] = true
	}
	if preferred != "" {
		address, err := netip.ParseAddr(preferred)
		if err != nil || !p.usable(address) {
			return address, fail(codes.InvalidArgument, "ADDRESS_INVALID", "%s is no address of %s for a container", preferred, p.Cidr)
		}
		if taken[address] {
			return address, fail(codes.AlreadyExists, "ADDRESS_TAKEN", "%s is taken", preferred)
		}
		return address, nil
	}
	for address := p.Range.Masked().Addr(); p.Range.Contains(address); address = address.Next() {
		if p.usable(address) && !taken[address] {
			return address, nil
		}
	}
	return netip.Addr{}, fail(codes.ResourceExhausted, "ADDRESSES_EXHAUSTED", "no address of %s is left", p.Range)
}

// Neither the subnet's own, the first, nor that of all in it, the last of IPv4. The two of a /31 are both for use.
func (p *pool) usable(address netip.Addr) bool {
	if p.Cidr.Bits() >= address.BitLen()-1 {
		return p.Cidr.Contains(address)
	}
	isLast := address.Is4() && !p.Cidr.Contains(address.Next())
	return p.Cidr.Contains(address) && address != p.Cidr.Masked().Addr() && !isLast
}

func (d *driver) ReleaseAddress(_ context.Context, r *ipamv1.AddressOwner) (*emptypb.Empty, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	from, found := d.pools[r.PoolId]
	if !found {
		return &emptypb.Empty{}, nil
	}
	held, known := from.Addresses[r.Owner]
	if !known {
		return &emptypb.Empty{}, nil
	}
	delete(from.Addresses, r.Owner)
	return &emptypb.Empty{}, d.keep(func() { from.Addresses[r.Owner] = held })
}
