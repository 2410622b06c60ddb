export * from './config.ts';
export * from './containers.ts';
export * from './contract.ts';
export * from './execs.ts';
export * from './filters.ts';
export * from './images.ts';
export * from './networks.ts';
export * from './volumes.ts';
