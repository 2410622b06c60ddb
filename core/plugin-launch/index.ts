export { launch } from './launch.ts';
export type { Launched, LaunchExit, LaunchRequest } from './types.ts';
