import { definePlugin } from '@gantry/sdk';
import type { NetworkDriver } from '@gantry/sdk/network';
import { endpointPlan } from './endpoint-plan.ts';
import { networkPlan } from './network-plan.ts';

/** A bridge per network. Plans only: the engine makes the links, the rules and the addresses, and takes them away even when this plugin is gone. */
const driver: NetworkDriver = {
  features: [],
  namespace: 'own',
  dns: true,
  ipam: true,
  createNetwork: async ({ network }) => networkPlan(network),
  removeNetwork: async () => {},
  attach: async ({ network, endpoint }) => endpointPlan(network, endpoint),
  detach: async () => {},
};

export default definePlugin({ activate: async () => ({ drivers: { network: { bridge: driver } } }) });
