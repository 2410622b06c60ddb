export { type Fault, type FaultKind, matches } from './fault.ts';
export { type ChaosProxy, chaosProxy } from './proxy.ts';
