export { MemoryLogDriver } from './memory-log.ts';
export { MemoryVolumeDriver } from './memory-volume.ts';
