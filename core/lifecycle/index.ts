export { specificationFolders } from './device-requests/index.ts';
export { Lifecycle } from './lifecycle.ts';
export { resolveUser } from './oci-spec/index.ts';
export type { ContainerDefaults, ContainerImage, ContainerImages, LifecycleParts } from './types.ts';
