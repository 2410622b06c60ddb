export { type Address, parseAddress, showAddress } from './address.ts';
export { type Client, connect, type ConnectOptions } from './client.ts';
export type { StreamChunk } from './stdcopy.ts';
export type { Hijacked } from './hijack.ts';
export type { ContainerWait } from './containers.ts';
export type { Fetching, PluginAttachment, PluginCall, PluginDetails } from './plugins.ts';
export * from './shapes.ts';
