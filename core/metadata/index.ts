export { Database, type Row } from './database.ts';
export { pluginState } from './plugin-state.ts';
