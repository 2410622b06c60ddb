export { createEngine } from './engine.ts';
export type { LocalEngine } from './local-engine.ts';
export type { EngineOptions } from './options.ts';
