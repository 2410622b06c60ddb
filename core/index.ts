export { createEngine } from './engine.ts';
export type { LocalEngine } from './facade.ts';
export type { EngineOptions } from './options.ts';
