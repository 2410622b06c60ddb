export { HostLinks, type HostLinksOptions } from './host-links.ts';
export { innerKind, sharedProperties } from './kinds.ts';
export { linkRefused } from './refused.ts';
export { setSysctls } from './settings.ts';
export { joinBridge, portRequest, type VethPlace } from './veth.ts';
