export * from './contract.ts';
export { type FillRequest, SnapshotDriver } from './driver.ts';
export { SnapshotFolders, type SnapshotFoldersOptions } from './folders.ts';
