export { PluginHost } from './host.ts';
export type { PluginHostOptions } from './options.ts';
export type { PluginPolicy } from './life/policy.ts';
