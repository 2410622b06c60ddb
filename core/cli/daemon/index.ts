export type { DaemonOptions } from '../daemon-options.ts';
export { nodeFlags } from './node-flags.ts';
export { report } from '../report.ts';
export { prepared } from './prepared.ts';
export { environmentProxies } from './proxies.ts';
export { type DaemonCommand, parseDaemon } from './parse.ts';
export { takenStatus } from '../host.ts';
