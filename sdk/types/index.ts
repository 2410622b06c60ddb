export * from './call.ts';
export * from './mount.ts';
