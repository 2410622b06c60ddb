export { ContainerRows, type ContainerRow, type RemovalRow } from './containers.ts';
export { Database, type Row } from './database.ts';
export { type CompressedLayer, type ImageManifest, ImageRows, type ImageRow, type NamedImageRow } from './images.ts';
export { LayerRows, type InitLayerRow, type LayerRow, type RwLayerRow } from './layers.ts';
export { type LogCursorDocument, LogCursors } from './log-cursors.ts';
export { type EndpointRow, NetworkRows, type NetworkRow } from './networks.ts';
export { pluginState, type PluginState, stateStore } from './plugin-state.ts';
export { type VolumeAttachmentRow, VolumeRows, type VolumeRow } from './volumes.ts';
export { type DriverObject, lookupFacts, objectsOf, PluginRows, unsettledVolumes, volumeAttachmentIds } from './plugins.ts';
