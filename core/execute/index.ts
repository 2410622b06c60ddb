export { type BrokenMount, Helpers } from './helpers.ts';
export { dropLimits, limitMount, whyNoProjectQuota } from './limits.ts';
export { dataPathOf, isMounted, makeMounts, type MountRequest, unmount } from './mounts.ts';
export { checkEndpointPlan, isLinkName, isMac } from './network-check.ts';
export { type EndpointWork, isDefault, type MadeEndpoint, setDefaultRoutes } from './network-endpoint.ts';
export { type Firewall } from './network-firewall.ts';
export { describedProcess, openShown } from './processes.ts';
export { needsRules, NetworkExecutor, rulesOf } from './network.ts';
export type { PortMapping } from './network-rules.ts';
