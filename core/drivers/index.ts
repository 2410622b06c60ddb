export { driverName } from './driver-name.ts';
export { driverContext, guard, type GuardOptions, type MethodTable } from './guard.ts';
export { Load, type LoadLimits } from './load.ts';
export { tellProgress } from './progress.ts';
export { methodsOf } from './methods.ts';
export type { Drivers, Grants, HelperGrants } from './types.ts';
