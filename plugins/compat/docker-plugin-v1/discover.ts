import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Address, readAddress } from './address.ts';
import type { Settings } from './settings.ts';

/** It becomes a part of paths. */
const safeName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/**
 * Where the plugin of this name listens, looked up now: what was handed over, then sockets, then spec files, as Docker does. Unknown, or
 * no name at all: undefined, at once. A spec file that makes no sense is `invalid_argument`.
 */
export function locate(name: string, settings: Settings): Address | undefined {
  const key = nameOf(name, settings);
  const given = Object.hasOwn(settings.sockets, key) ? settings.sockets[key] : undefined;
  if (given !== undefined) return { kind: 'unix', path: given.socket, scopes: given.scopes };
  if (!safeName.test(name) || name.includes('..')) return undefined;
  for (const folder of settings.socketFolders) {
    for (const path of [join(folder, `${name}.sock`), join(folder, name, `${name}.sock`)]) {
      if (isSocket(path)) return { kind: 'unix', path, scopes: [] };
    }
  }
  for (const folder of settings.specFolders) {
    for (const base of [join(folder, name), join(folder, name, name)]) {
      for (const file of [`${base}.spec`, `${base}.json`]) if (isFile(file)) return readAddress(file);
    }
  }
  return undefined;
}

/** All names that `locate` would find, sorted. */
export function namesIn({ socketFolders, specFolders, sockets }: Settings): readonly string[] {
  const found = new Set(Object.keys(sockets));
  for (const folder of socketFolders) addNames(found, folder, ['.sock'], isSocket);
  for (const folder of specFolders) addNames(found, folder, ['.spec', '.json'], isFile);
  return [...found].toSorted();
}

/** The one name of a plugin, however it is asked for: Docker's managed plugins have a tag, which people leave out. */
export function nameOf(name: string, { sockets }: Settings): string {
  return [name, `${name}:latest`].find((key) => Object.hasOwn(sockets, key)) ?? name;
}

function addNames(found: Set<string>, folder: string, endings: readonly string[], is: (path: string) => boolean): void {
  for (const entry of entriesOf(folder)) {
    for (const ending of endings) {
      const name = entry.endsWith(ending) ? entry.slice(0, -ending.length) : entry;
      const path = entry.endsWith(ending) ? join(folder, entry) : join(folder, entry, `${entry}${ending}`);
      if (safeName.test(name) && !name.includes('..') && is(path)) found.add(name);
    }
  }
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isSocket(path: string): boolean {
  return look(path)?.isSocket() === true;
}

function isFile(path: string): boolean {
  return look(path)?.isFile() === true;
}

function look(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
