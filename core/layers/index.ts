export { chainIdsOf, maxDepth } from './chain-id.ts';
export { cleanPath } from './worker/entry-path.ts';
export { choose } from './copy/choose.ts';
export type { Copying, CopySource } from './copy/compose.ts';
export { choiceDigest } from './copy/digest.ts';
export { ContentHash } from './copy/content-hash.ts';
export { emptyFile, IndexTree } from './copy/index-tree.ts';
export { resolveSource } from './copy/resolve.ts';
export { wayDigest } from './copy/way.ts';
export type { EarlyLayers } from './early-layers.ts';
export type { ImageLayers, StagedLayers, StageOptions } from './image-layers.ts';
export type { LayerSource } from './layer-unpacking.ts';
export { Layers, type LayersOptions } from './layers.ts';
export {
  endOfArchive,
  isTarHead,
  paddingBytes,
  TarError,
  tarHeader,
  type TarEntry,
  type TarHandler,
  type TarHeader,
  TarReader,
} from './tar/index.ts';
export { plainStream } from './plain-stream.ts';
export { decompressed, sniff, through } from './worker/decompress.ts';
export type { Archives, ContainerLayers, Rootfs, ShowOptions } from './types.ts';
export { TreeWorkers } from './worker/pool.ts';
