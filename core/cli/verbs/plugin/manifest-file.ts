import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '@gantry/sdk';
import { fromErrno, invalidArgument, messageOf, notFound } from '@gantry/sdk/errors';

export const manifestName = 'gantry-plugin.json';

/** The checked manifest of a plugin's folder, or what its package.json says under "gantry"; failures name the file, the field and what it should be. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, manifestName);
  if (existsSync(path)) return await readManifestFile(path);
  const inPackage = manifestInPackage(join(folder, 'package.json'));
  if (inPackage !== undefined) return await checked(inPackage, `${join(folder, 'package.json')}: gantry`);
  throw notFound(`cannot read the manifest: ${folder} has no ${manifestName}`, {
    hint: 'npx gantry-sdk create NAME makes a folder to begin with; npx gantry-sdk manifest . writes the file of a module',
  });
}

function manifestInPackage(path: string): unknown {
  if (!existsSync(path)) return undefined;
  const document = parse(read(path), path);
  return typeof document === 'object' && document !== null && 'gantry' in document ? document.gantry : undefined;
}

export async function readManifestFile(path: string): Promise<Manifest> {
  return await checked(parse(read(path), path), path);
}

async function checked(value: unknown, path: string): Promise<Manifest> {
  const { checkManifest } = await import('@gantry/sdk');
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
