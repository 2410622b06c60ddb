export { specificationFolders } from './specification.ts';
export { withDevices } from './inject.ts';
export { wantedDevices } from './wanted.ts';
