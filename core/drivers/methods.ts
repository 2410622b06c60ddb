import type { DriverKind } from '@gantry/sdk';
import { authzMethods } from '@gantry/sdk/authz';
import { execMethods } from '@gantry/sdk/exec';
import { graphMethods } from '@gantry/sdk/graph';
import { ipamMethods } from '@gantry/sdk/ipam';
import { logMethods } from '@gantry/sdk/log';
import { networkMethods } from '@gantry/sdk/network';
import { transportMethods } from '@gantry/sdk/transport';
import { volumeMethods } from '@gantry/sdk/volume';
import type { MethodTable } from './guard.ts';

/** Which methods of each kind are guarded; kinds that live in the engine's process alone have none. */
export const methodsOf = {
  graph: graphMethods,
  volume: volumeMethods,
  log: logMethods,
  network: networkMethods,
  ipam: ipamMethods,
  exec: execMethods,
  transport: transportMethods,
  builder: {},
  frontend: {},
  authz: authzMethods,
} as const satisfies Record<DriverKind, MethodTable>;
