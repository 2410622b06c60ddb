export * from './contract.ts';
export { SnapshotFolders } from './folders.ts';
