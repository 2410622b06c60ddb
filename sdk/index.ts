export * from './errors.ts';
export * from './manifest.ts';
export * from './plugin.ts';
export * from './types/index.ts';
export * from './memory.ts';
