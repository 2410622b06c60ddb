export { createFromArchive } from './create.ts';
export { fetchPlugin, offerOf } from './fetch.ts';
export { packArchive } from './pack-archive.ts';
export { packPlugin, type PackRequest } from './pack.ts';
export { pushPlugin } from './push.ts';
export { parseSource, type PluginSource } from './source.ts';
export { sweepStaging } from './staging.ts';
export type { FetchedPlugin, FetchOptions, InstallTools, NpmOptions, Trees } from './types.ts';
