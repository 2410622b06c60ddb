export { applyChanges } from './config/changes.ts';
export { ImagesRoom } from './images.ts';
export { parsePlatform } from './platform.ts';
export type { ImageUser } from './types.ts';
export type { ImageRetention } from './unused.ts';
