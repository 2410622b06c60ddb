import { network, t } from '@gantry/sdk/author';

/** A bridge per network. */
export const networks = network({
  name: 'every',
  options: { mtu: t.Optional(t.Integer()) },
  createNetwork: ({ id, internal, options, subnets }) => ({
    links: [{ kind: 'bridge', name: bridgeOf(id), mtu: options.mtu, addresses: subnets.map(({ gatewayCidr }) => gatewayCidr) }],
    nat: internal ? [] : subnets.map(({ cidr }) => ({ fromCidr: cidr })),
  }),
  attach: ({ id, internal, subnets }, { addresses, ifname, mac }) => ({
    link: { kind: 'veth', master: bridgeOf(id), name: ifname },
    mac,
    addresses,
    routes: internal ? [] : subnets.map(({ v6, gateway }) => ({ to: v6 ? '::/0' : '0.0.0.0/0', via: gateway })),
  }),
});

function bridgeOf(id: string): string {
  return `ev-${id.slice(0, 12)}`;
}
