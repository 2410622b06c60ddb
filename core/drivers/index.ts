export { driverContext, guard } from './guard.ts';
export { methodsOf } from './methods.ts';
export type { Drivers, Grants } from './types.ts';
