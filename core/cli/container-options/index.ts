export type { ContainerFlags, ResourceFlags } from './flags.ts';
export { mountNotes } from './mount-notes.ts';
export { containerOptions, resourceOptions } from './options.ts';
export { attachmentOf, toCreateBody, toPortMap, toResources } from './request.ts';
