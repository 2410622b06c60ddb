export type { ContainerVolumes } from './types.ts';
export { VolumesRoom, type VolumesRoomOptions } from './volumes-room.ts';
