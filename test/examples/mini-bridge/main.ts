import { network, t } from '@gantry/sdk/author';

/** A bridge per network. */
export default network({
  name: 'mini-bridge',
  options: { mtu: t.Optional(t.Integer({ minimum: 68, maximum: 65_535 })) },
  createNetwork: (n) => ({
    links: [{ kind: 'bridge', name: bridgeOf(n), mtu: n.options.mtu, addresses: n.subnets.map((s) => s.gatewayCidr) }],
    nat: n.internal ? [] : n.subnets.map((s) => ({ fromCidr: s.cidr, masquerade: true })),
  }),
  attach: (n, ep) => ({
    link: { kind: 'veth', master: bridgeOf(n), name: ep.ifname, mtu: n.options.mtu },
    mac: ep.mac,
    addresses: ep.addresses,
    routes: n.internal ? [] : n.subnets.map((s) => ({ to: s.v6 ? '::/0' : '0.0.0.0/0', via: s.gateway })),
  }),
});

function bridgeOf({ id }: { readonly id: string }): string {
  return `gb-${id.slice(0, 12)}`;
}
