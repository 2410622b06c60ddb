export { logAttributes, logTag } from './attributes.ts';
export * from './contract.ts';
export * from './files/index.ts';
export {
  checkLogOptions,
  isSharedLogOption,
  type LogOptionCheck,
  parseLogCount,
  parseLogDuration,
  parseLogFlag,
  parseLogSize,
  parseLogUrl,
} from './options.ts';
export { LinePieces, type Piece } from './pieces.ts';
export { compareLogTime, formatLogTime, parseLogTime } from './time.ts';
