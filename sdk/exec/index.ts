export * from './contract.ts';
export { checkId, commandFailure } from './refusals.ts';
