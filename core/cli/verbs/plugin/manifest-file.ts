import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '@gantry/sdk';
import { fromErrno, invalidArgument, messageOf } from '@gantry/sdk/errors';

export const manifestName = 'gantry-plugin.json';

/** The checked manifest of a plugin's folder; failures name the file, the field and what it should be. */
export async function readManifest(folder: string): Promise<Manifest> {
  return await readManifestFile(join(folder, manifestName));
}

export async function readManifestFile(path: string): Promise<Manifest> {
  const { checkManifest } = await import('@gantry/sdk');
  const value = parse(read(path), path);
  try {
    return checkManifest(value);
  } catch (error) {
    throw invalidArgument(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fromErrno(error, 'cannot read the manifest');
  }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidArgument(`${path} is not JSON: ${messageOf(error)}`);
  }
}
