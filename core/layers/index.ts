export { chainIdsOf, maxDepth } from './chain-id.ts';
export type { ImageLayers, LayerSource, StagedLayers, StageOptions } from './image-layers.ts';
export { Layers, type LayersOptions } from './layers.ts';
export { endOfArchive, paddingBytes, TarError, tarHeader, type TarEntry, type TarHandler, type TarHeader, TarReader } from './tar/index.ts';
export { plainStream } from './plain-stream.ts';
export type { Archives, ContainerLayers, Rootfs } from './types.ts';
export { decompressed } from './worker/decompress.ts';
export { TreeWorkers } from './worker/pool.ts';
