import { blockBytes, noBytes, noXattrs } from './header.ts';
import { xattrPrefix } from './pax.ts';

/** What to write of an entry; the rest is zero. Folders' names end with a slash. */
export interface TarEntry {
  readonly type: '0' | '1' | '2' | '3' | '4' | '5' | '6';
  readonly name: Uint8Array;
  readonly linkName?: Uint8Array;
  /** Of the body that follows, for type '0' only. */
  readonly size?: number;
  /** Permission bits, at most 07777. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Whole seconds since 1970. */
  readonly mtime?: number;
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

/**
 * The header blocks of an entry, as Go's archive/tar writes them in PAX format with what FileInfoHeader keeps: the same entry gives the
 * same bytes for ever. A PAX header goes before it only when the plain one cannot say everything.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const pax = paxData(entry);
  const block = plainHeader(entry);
  if (pax.length === 0) return block;
  const head = Buffer.alloc(blockBytes);
  writeBytes(head, paxName(entry.name), 0, 100);
  writeCommon(head, { type: 'x', mode: 0, uid: 0, gid: 0, size: pax.length, mtime: 0 });
  return Buffer.concat([seal(head), pax, Buffer.alloc(paddingBytes(pax.length)), block]);
}

/** Zeros that follow a body of this size. */
export function paddingBytes(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

/** What ends an archive. */
export const endOfArchive: Buffer = Buffer.alloc(2 * blockBytes);

function plainHeader(entry: TarEntry): Buffer {
  const block = Buffer.alloc(blockBytes);
  writeBytes(block, ascii(entry.name), 0, 100);
  writeBytes(block, ascii(entry.linkName ?? noBytes), 157, 257);
  const { mode, uid = 0, gid = 0, size = 0, mtime = 0 } = entry;
  writeCommon(block, { type: entry.type, mode, uid, gid, size, mtime });
  writeOctal(block, entry.deviceMajor ?? 0, 329, 337);
  writeOctal(block, entry.deviceMinor ?? 0, 337, 345);
  return seal(block);
}

interface Common {
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
}

function writeCommon(block: Buffer, { type, mode, uid, gid, size, mtime }: Common): void {
  writeOctal(block, mode, 100, 108);
  writeOctal(block, uid, 108, 116);
  writeOctal(block, gid, 116, 124);
  writeOctal(block, size, 124, 136);
  writeOctal(block, mtime, 136, 148);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
}

function seal(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  let sum = 0;
  // An iterator would take ten times as long, and there is a header for every file.
  for (let at = 0; at < blockBytes; at++) sum += block[at] ?? 0;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function writeBytes(block: Buffer, bytes: Uint8Array, start: number, end: number): void {
  block.set(bytes.length > end - start ? bytes.subarray(0, end - start) : bytes, start);
}

function writeOctal(block: Buffer, value: number, start: number, end: number): void {
  const digits = end - start - 1;
  block.write((fitsOctal(value, digits) ? value : 0).toString(8).padStart(digits, '0'), start, 'latin1');
}

function fitsOctal(value: number, digits: number): boolean {
  return value >= 0 && value < 8 ** digits;
}

function paxData(entry: TarEntry): Buffer {
  const records: [string, Uint8Array][] = [];
  const text = (key: string, value: Uint8Array) => {
    if (value.length > 100 || !isAscii(value)) records.push([key, value]);
  };
  const number = (key: string, value: number, digits: number) => {
    if (!fitsOctal(value, digits)) records.push([key, Buffer.from(String(value))]);
  };
  text('path', entry.name);
  text('linkpath', entry.linkName ?? noBytes);
  number('uid', entry.uid ?? 0, 7);
  number('gid', entry.gid ?? 0, 7);
  number('size', entry.size ?? 0, 11);
  number('mtime', entry.mtime ?? 0, 11);
  for (const [name, value] of entry.xattrs ?? noXattrs) records.push([xattrPrefix + name, value]);
  if (records.length === 0) return noBytes;
  records.sort(([left], [right]) => (left < right ? -1 : 1));
  return Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
}

function paxRecord(key: string, value: Uint8Array): Buffer {
  const body = key.length + value.length + 3; // space, equals sign, newline
  let length = body + String(body).length;
  if (String(length).length !== String(body).length) length = body + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`, 'latin1'), value, newline]);
}

const newline = Buffer.from('\n');

function paxName(name: Uint8Array): Uint8Array {
  const text = Buffer.from(ascii(name)).toString('latin1');
  const slash = text.lastIndexOf('/');
  const joined = [text.slice(0, slash + 1), 'PaxHeaders.0/', text.slice(slash + 1)].join('');
  return Buffer.from(joined.slice(0, 100).replace(/\/+$/, ''), 'latin1');
}

function isAscii(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte >= 0x80) return false;
  return true;
}

function ascii(bytes: Uint8Array): Uint8Array {
  return isAscii(bytes) ? bytes : bytes.filter((byte) => byte < 0x80);
}
