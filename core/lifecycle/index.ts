export { Lifecycle } from './lifecycle.ts';
export type { ContainerImage, ContainerImages, LifecycleParts } from './types.ts';
