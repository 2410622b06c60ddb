export { type ManagedRequest, packManaged } from './write.ts';
export { packTar } from './tar.ts';
export { unpublishedPaths } from './unpublished.ts';
