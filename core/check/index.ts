export { StoreCheck, type StoreCheckParts } from './check.ts';
