export { Database, type Row } from './database.ts';
export { type LogCursorDocument, LogCursors } from './log-cursors.ts';
export { type EndpointRow, NetworkRows, type NetworkRow } from './networks.ts';
export { pluginState } from './plugin-state.ts';
