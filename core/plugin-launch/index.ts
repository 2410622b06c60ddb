export { adoptHelper, endHelper, type HelperProcess, launchHelper } from './helper.ts';
export { endLeftOver } from './cgroup/group.ts';
export { launch } from './launch.ts';
export { FifoReader, openFifoWriter } from './output/fifo.ts';
export type { Launched, LaunchExit, LaunchRequest } from './types.ts';
