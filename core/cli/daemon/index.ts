export type { DaemonOptions } from '../daemon-options.ts';
export { report } from '../report.ts';
export { type DaemonCommand, parseDaemon } from './parse.ts';
