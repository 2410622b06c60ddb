export { Lifecycle } from './lifecycle.ts';
export { resolveUser } from './oci-spec/index.ts';
export type { ContainerImage, ContainerImages, LifecycleParts } from './types.ts';
