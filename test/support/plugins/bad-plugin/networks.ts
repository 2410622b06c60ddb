import type { Network, NetworkDriver } from '@gantry/sdk/network';
import type { Wrong } from './wrong.ts';

/** A bridge for each network. */
export function networks(wrong: Wrong | undefined): NetworkDriver {
  const bridgeOf = ({ id }: Network): string => `bad-${id.slice(0, 10)}`;
  return {
    features: [],
    namespace: 'own',
    dns: false,
    ipam: true,
    createNetwork: async ({ network }) => ({ network, links: [{ kind: 'bridge', name: bridgeOf(network) }], masquerade: [] }),
    removeNetwork: async () => {},
    attach: async ({ network, endpoint: { addresses } }) => ({
      link: { kind: 'veth', name: 'eth%d', master: wrong === 'joins-others' ? 'docker0' : bridgeOf(network) },
      addresses,
      routes: [],
      publishable: false,
    }),
    detach: async () => {},
  };
}
