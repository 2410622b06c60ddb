export { createEngine, type LocalEngine } from './engine.ts';
export type { EngineOptions } from './options.ts';
