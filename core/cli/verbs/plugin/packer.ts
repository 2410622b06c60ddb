import { notImplemented } from '@gantry/sdk/errors';

export const packFormats = ['npm', 'oci', 'docker'] as const;
export type PackFormat = (typeof packFormats)[number];

/** A checked folder in, one file out: npm's .tgz, a tar of an OCI layout, or a tar of Docker's layout. */
export type PackPlugin = (request: { readonly folder: string; readonly format: PackFormat }) => Promise<AsyncIterable<Buffer>>;

/** Packing needs no engine and no root, so it belongs to what an author has: the SDK. Here it is called from. */
export const packFolder: PackPlugin = ({ format }) => {
  const hint =
    format === 'npm'
      ? "'npm pack' in the folder does it for npm"
      : "'gantry plugin create' and 'gantry plugin push' send a folder to a registry";
  throw notImplemented(`packing for ${format} is not there yet`, { hint });
};
