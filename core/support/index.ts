export * from './abort.ts';
export * from './atomic-file.ts';
export * from './failpoint.ts';
export * from './ids.ts';
export * from './keep-alive.ts';
export * from './keyed-mutex.ts';
export * from './npm-packages.ts';
export * from './text-pattern.ts';
