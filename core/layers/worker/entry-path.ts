import { invalidArgument } from '@gantry/sdk';

/** Names inside a tree as latin1 text, one character per byte: exact, and fit for keys of maps. '' is the root. */
export type EntryPath = string;

/** The name without empty and `.` parts, `..` taken back. Refuses what climbs above the root. */
export function cleanPath(name: Uint8Array): EntryPath {
  const text = Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString('latin1');
  if (!needsCleaning.test(text)) return text;
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw invalidArgument(`path escapes layer: ${shown(text)}`);
  }
  return parts.join('/');
}

const needsCleaning = /^\/|\/$|\/\/|(?:^|\/)\.\.?(?:\/|$)/;

/** What the system calls take: the path below the root of this thread, byte by byte. */
export function kernelPath(path: EntryPath): string | Buffer {
  const absolute = `/${path}`;
  return isAscii(absolute) ? absolute : Buffer.from(absolute, 'latin1');
}

/** As text, where it is UTF-8. */
export function textOf(path: EntryPath): string {
  return isAscii(path) ? path : Buffer.from(path, 'latin1').toString();
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

export function parentOf(path: EntryPath): EntryPath {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function baseOf(path: EntryPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joined(folder: EntryPath, name: string): EntryPath {
  return folder === '' ? name : `${folder}/${name}`;
}

/** For messages: as text, cut to a length that fits a line. */
export function shown(path: EntryPath): string {
  const text = JSON.stringify(Buffer.from(path, 'latin1').toString());
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
