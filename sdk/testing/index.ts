export { type CapturedLine, capturedLog } from './captured-log.ts';
export { type HostOptions, hostFor, type TestHost } from './host.ts';
export { MemoryLogDriver } from './memory-log.ts';
export { MemoryState } from './memory-state.ts';
export { MemoryVolumeDriver } from './memory-volume.ts';
export type { Call } from './recording.ts';
export { MemoryGraphDriver } from './memory-graph.ts';
export { MemoryIpamDriver } from './memory-ipam.ts';
export { MemoryNetworkDriver } from './memory-network.ts';
