export { checkConfig, checkUser, checkVariable, checkWorkingDirectory } from './config.ts';
export { checkHostConfig, checkRestartPolicy, onUnhealthy } from './host-config.ts';
export { type IdMaps, parseIdMaps } from './id-maps.ts';
export { type WantedMount, wantedMounts, wrongPlace } from './mounts.ts';
export { checkContainerName } from './name.ts';
export { checkResources, type HostLimits } from './resources.ts';
export { readSecurityOptions, type SecurityOptions } from './security.ts';
export { parseSignal } from './signal.ts';
export { type HostAbilities, withoutUnsupported } from './unsupported.ts';
