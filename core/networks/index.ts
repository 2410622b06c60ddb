export { NetworksRoom, type NetworksRoomOptions } from './room.ts';
export type { NetworkDefaults } from './defaults.ts';
export type { ContainerNetworks, NetworkedContainer, NetworkUsers, Sandbox } from './types.ts';
