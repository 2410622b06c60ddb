import { constants } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkManifest, invalidArgument, type Manifest, messageOf } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';

export const manifestName = 'gantry-plugin.json';
const maxDocumentBytes = 4 * 1024 * 1024;

/** JSON that somebody else wrote, as an object; `invalid_argument` naming `what`. */
export function parseObject(bytes: Uint8Array, what: string): Readonly<Record<string, unknown>> {
  if (bytes.length > maxDocumentBytes) throw invalidArgument(`${what} has ${bytes.length} bytes, at most ${maxDocumentBytes}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalidArgument(`${what} is no JSON: ${messageOf(cause).slice(0, 200)}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidArgument(`${what} is no JSON object`);
  return value as Readonly<Record<string, unknown>>;
}

/** A small file of a tree that nobody has looked at yet; symlinks and the like are refused, absent is undefined. */
export async function readDocument(folder: string, name: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(join(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { size, isFile } = await file.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
    if (!isFile) throw invalidArgument(`${name} is no file`);
    if (size > maxDocumentBytes) throw invalidArgument(`${name} has ${size} bytes, at most ${maxDocumentBytes}`);
    return await file.readFile();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    if (isErrno(error, 'ELOOP')) throw invalidArgument(`${name} is a symlink`, { cause: error });
    throw error;
  }
}

/**
 * The manifest of a folder with code: gantry-plugin.json, or the key "gantry" in package.json, whose version and description then serve
 * where the key has none. Both: the file counts.
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const own = await readDocument(folder, manifestName);
  if (own !== undefined) return checkManifest(parseObject(own, manifestName));
  const bytes = await readDocument(folder, 'package.json');
  const packageJson = bytes === undefined ? {} : parseObject(bytes, 'package.json');
  const { gantry, version, description } = packageJson;
  if (typeof gantry !== 'object' || gantry === null) {
    throw invalidArgument(`no ${manifestName} and no key "gantry" in package.json: this is no plugin`);
  }
  return checkManifest({ ...(version === undefined ? {} : { version }), ...(description === undefined ? {} : { description }), ...gantry });
}

/** For whoever discovers plugins: every installed one has the file. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeFile(join(folder, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`);
}
