export * from './addresses.ts';
export * from './contract.ts';
