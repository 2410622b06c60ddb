import { definePlugin } from '@gantry/sdk';
import type { NetworkDriver } from '@gantry/sdk/network';

/** The container has a network namespace of its own with nothing but loopback. */
const driver: NetworkDriver = {
  features: [],
  namespace: 'isolated',
  dns: false,
  ipam: false,
  createNetwork: async ({ network }) => ({ network, links: [], masquerade: [] }),
  removeNetwork: async () => {},
  attach: async () => ({ link: { kind: 'none', name: '' }, addresses: [], routes: [], publishable: false }),
  detach: async () => {},
};

export default definePlugin({ activate: async () => ({ drivers: { network: { null: driver } } }) });
