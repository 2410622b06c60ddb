export * from '../references/index.ts';
