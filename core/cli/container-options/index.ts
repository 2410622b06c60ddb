export type { ContainerFlags, ResourceFlags } from './flags.ts';
export { containerOptions, resourceOptions } from './options.ts';
export { attachmentOf, toCreateBody, toPortMap, toResources } from './request.ts';
