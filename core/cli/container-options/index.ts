export type { ContainerFlags, ResourceFlags } from './flags.ts';
export { containerOptions, resourceOptions } from './options.ts';
export { attachmentOf, toCreateBody, toResources } from './request.ts';
