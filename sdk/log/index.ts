export { logAttributes, logTag } from './attributes.ts';
export * from './contract.ts';
export { checkLogOptions, type LogOptionCheck, parseLogSize } from './options.ts';
export { compareLogTime, formatLogTime, parseLogTime } from './time.ts';
