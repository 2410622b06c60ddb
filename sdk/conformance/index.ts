export { type ChaosProxy, chaosProxy, type Fault } from './chaos/index.ts';
export { casesFor, type ExecWorld, type Facts, type World } from './cases.ts';
export { mountingWorld } from './mounted.ts';
export { conformance } from './node-test.ts';
export {
  type ConformancePlacement,
  loadModule,
  type OpenedPlugin,
  openPlugin,
  type OpenOptions,
  type OpenPlugin,
} from './opened-plugin.ts';
export { type ConformanceOptions, type Outcome, type PlannedCase, planConformance, runConformance } from './run.ts';
export { type SampleOptions, sampleOptions } from './sample-options.ts';
export { manifestIn as readManifest } from '../serve/load.ts';
