import { definePlugin } from '@gantry/sdk';
import type { NetworkDriver } from '@gantry/sdk/network';
import { endpointPlan } from './endpoint-plan.ts';
import { networkPlan } from './network-plan.ts';
import { vxlanEndpointPlan, vxlanNetworkPlan } from './vxlan.ts';

/** A bridge per network. Plans only: the engine makes the links, the rules and the addresses, and takes them away even when this plugin is gone. */
const bridge: NetworkDriver = {
  features: [],
  namespace: 'own',
  dns: true,
  ipam: true,
  createNetwork: async ({ network }) => networkPlan(network),
  removeNetwork: async () => {},
  attach: async ({ network, endpoint }) => endpointPlan(network, endpoint),
  detach: async () => {},
};

/** The same bridge on several machines. */
const vxlan: NetworkDriver = {
  ...bridge,
  createNetwork: async ({ network }) => vxlanNetworkPlan(network),
  attach: async ({ network, endpoint }) => vxlanEndpointPlan(network, endpoint),
};

export default definePlugin({ activate: async () => ({ drivers: { network: { bridge, vxlan } } }) });
