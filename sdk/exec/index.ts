export * from './contract.ts';
export { checkId, commandFailure } from './refusals.ts';
export { runtimeJson, unlimited } from './runtime-json.ts';
