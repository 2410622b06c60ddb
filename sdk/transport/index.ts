export * from './contract.ts';
export { type Download, download } from './download.ts';
