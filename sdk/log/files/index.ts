export { FileLogDriver, type FileLogDriverOptions } from './driver.ts';
export type { Encoded, LogDecoder, LogEncoder, LogFormat } from './format.ts';
export type { FileOptions } from './options.ts';
