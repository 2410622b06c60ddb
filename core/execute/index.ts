export {
  blaming,
  dataPathOf,
  dataPathsOf,
  dropLimits,
  invalidPlan,
  isMounted,
  limitMount,
  unmount,
  whyNoProjectQuota,
} from '@gantry/sdk/mounts';
export { type BrokenMount, Helpers } from './helpers.ts';
export type { CniPortMapping, CniResult, CniWork } from './cni.ts';
export type { CniAttachment, CniNetwork } from './cni-network.ts';
export { cniListName, takesPortMappings } from './cni-config.ts';
export { makeMounts, type MountRequest } from './mounts.ts';
export { checkEndpointPlan, isLinkName, isMac } from './network-check.ts';
export { type EndpointWork, isDefault, type MadeEndpoint, setDefaultRoutes } from './network-endpoint.ts';
export { type Firewall } from './network-firewall.ts';
export { describedProcess, openShown } from './processes.ts';
export { needsRules, NetworkExecutor, rulesOf } from './network.ts';
export { checkShown } from './shown.ts';
export { isThere, mayHang } from './foreign.ts';
export { leaveThread } from './left-threads.ts';
export type { LinkedPort, PortMapping } from './network-rules.ts';
