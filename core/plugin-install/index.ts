export { fetchPlugin, offerOf } from './fetch.ts';
export { comparePrivileges, delta, privilegesOf } from './privileges.ts';
export { parseSource, type PluginSource } from './source.ts';
export { sweepStaging } from './staging.ts';
export type { FetchedPlugin, FetchOptions, InstallTools, NpmOptions, Trees } from './types.ts';
