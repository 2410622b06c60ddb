export { driverContext, guard, type GuardOptions } from './guard.ts';
export { defaultLimits, Load, type LoadLimits } from './load.ts';
export { methodsOf } from './methods.ts';
export type { Drivers, Grants } from './types.ts';
