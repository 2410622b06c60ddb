export { applyChanges } from './config/changes.ts';
export { type ContainerImage, ImagesRoom } from './images.ts';
export { canonicalText, familiarName, familiarText, parseReference, type Reference, withDefaultTag } from './reference.ts';
export type { CommitImage, ImagesOptions, ImageUser, ImageUsers } from './types.ts';
