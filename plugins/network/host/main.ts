import { definePlugin } from '@gantry/sdk';
import type { NetworkDriver } from '@gantry/sdk/network';

/** The container shares the network namespace of the machine. */
const driver: NetworkDriver = {
  features: [],
  namespace: 'host',
  dns: false,
  ipam: false,
  createNetwork: async ({ network }) => ({ network, links: [], masquerade: [] }),
  removeNetwork: async () => {},
  attach: async () => ({ link: { kind: 'none', name: '' }, addresses: [], routes: [], publishable: false }),
  detach: async () => {},
};

export default definePlugin({ activate: async () => ({ drivers: { network: { host: driver } } }) });
