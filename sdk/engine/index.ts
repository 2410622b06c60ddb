export * from './config.ts';
export * from './contract.ts';
