/** What a tar entry says about itself. Names and values are bytes: nothing promises that they are UTF-8. */
export interface TarHeader {
  /** '0' file, '1' hard link, '2' symlink, '3' character device, '4' block device, '5' folder, '6' fifo; others as they came. */
  type: string;
  name: Buffer;
  linkName: Buffer;
  /** What the entry claims; a body follows for types that have one. Beyond 2^53 it is approximate, and the body is cut short before that. */
  size: number;
  mode: number;
  uid: number;
  gid: number;
  mtime: TarTime;
  userName: Buffer;
  groupName: Buffer;
  deviceMajor: number;
  deviceMinor: number;
  /** From SCHILY.xattr.*; names are latin1 text, one character per byte. */
  xattrs: ReadonlyMap<string, Buffer>;
}
/** May lie before 1970: `seconds` is then negative and `nanos` still counts forward. */
export interface TarTime {
  readonly seconds: number;
  readonly nanos: number;
}

export const blockBytes = 512;
export const noXattrs: ReadonlyMap<string, Buffer> = new Map();
export const noBytes = Buffer.alloc(0);

/** A tar that breaks the format; the message says how. */
export class TarError extends Error {
  override readonly name = 'TarError';
}
export const invalidHeader = (detail: string): TarError => new TarError(`invalid tar header: ${detail}`);

export type BlockFormat = 'v7' | 'ustar' | 'star' | 'gnu';

/** Whether the type never has a body, whatever its size field says (as Go's archive/tar has it). */
export function isHeaderOnly(type: string): boolean {
  return type >= '1' && type <= '6';
}

/** Reads one block of header. `undefined`: it is all zeros. Copies what it keeps, so the block may be reused. */
export function parseBlock(block: Buffer): { readonly header: TarHeader; readonly format: BlockFormat } | undefined {
  const format = formatOf(block);
  if (format === undefined) return undefined;
  const type = block.toString('latin1', 156, 157);
  const header: TarHeader = {
    type,
    name: field(block, 0, 100),
    linkName: field(block, 157, 257),
    mode: numeric(block, 100, 108, 'mode'),
    uid: numeric(block, 108, 116, 'uid'),
    gid: numeric(block, 116, 124, 'gid'),
    size: numeric(block, 124, 136, 'size'),
    mtime: { seconds: numeric(block, 136, 148, 'mtime'), nanos: 0 },
    userName: noBytes,
    groupName: noBytes,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: noXattrs,
  };
  if (format !== 'v7') readExtended(block, header, format);
  return { header, format };
}

/** Bytes up to the first NUL, copied. */
export function field(block: Buffer, start: number, end: number): Buffer {
  const first = block[start];
  if (first === 0) return noBytes;
  const nul = block.indexOf(0, start);
  return Buffer.from(block.subarray(start, nul < 0 || nul > end ? end : nul));
}

/** An octal number in spaces and NULs, or two's complement base 256 when the first bit is set (GNU). */
export function numeric(block: Buffer, start: number, end: number, what: string): number {
  return ((block[start] ?? 0) & 0x80) === 0 ? octal(block, start, end, what) : base256(block, start, end, what);
}

function readExtended(block: Buffer, header: TarHeader, format: Exclude<BlockFormat, 'v7'>): void {
  header.userName = field(block, 265, 297);
  header.groupName = field(block, 297, 329);
  header.deviceMajor = numeric(block, 329, 337, 'device major');
  header.deviceMinor = numeric(block, 337, 345, 'device minor');
  const prefix = prefixOf(block, format);
  if (prefix.length > 0) header.name = Buffer.concat([prefix, slash, header.name]);
}

const slash = Buffer.from('/');

function prefixOf(block: Buffer, format: Exclude<BlockFormat, 'v7'>): Buffer {
  if (format === 'ustar') return field(block, 345, 500);
  if (format === 'star') {
    numeric(block, 476, 488, 'atime');
    numeric(block, 488, 500, 'ctime');
    return field(block, 345, 476);
  }
  // GNU keeps times where others keep the prefix; some writers put a prefix there all the same.
  try {
    if (block[345] !== 0) numeric(block, 345, 357, 'atime');
    if (block[357] !== 0) numeric(block, 357, 369, 'ctime');
    return noBytes;
  } catch {
    const prefix = field(block, 345, 500);
    return prefix.every((byte) => byte < 0x80) ? prefix : noBytes;
  }
}

function formatOf(block: Buffer): BlockFormat | undefined {
  let unsigned = 8 * 32;
  let high = 0;
  for (let at = 0; at < 148; at++) {
    const byte = block[at] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let at = 156; at < blockBytes; at++) {
    const byte = block[at] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  if (unsigned === 8 * 32 && isZero(block, 148, 156)) return undefined;
  const told = octal(block, 148, 156, 'checksum');
  // Some old writers summed signed characters.
  if (told !== unsigned && told !== unsigned - 256 * high) throw invalidHeader('checksum does not match');
  const magic = block.toString('latin1', 257, 265);
  if (magic === 'ustar\x0000') return block.toString('latin1', 508, 512) === 'tar\0' ? 'star' : 'ustar';
  return magic === 'ustar  \0' ? 'gnu' : 'v7';
}

function isZero(block: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (block[at] !== 0) return false;
  return true;
}

function octal(block: Buffer, start: number, end: number, what: string): number {
  let from = start;
  let to = end;
  while (from < to && isPadding(block[from])) from += 1;
  while (to > from && isPadding(block[to - 1])) to -= 1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = block[at] ?? 0;
    if (byte === 0) break;
    if (byte < 0x30 || byte > 0x37) throw invalidHeader(`${what} is not octal`);
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

function isPadding(byte: number | undefined): boolean {
  return byte === 0 || byte === 0x20;
}

function base256(block: Buffer, start: number, end: number, what: string): number {
  const isNegative = ((block[start] ?? 0) & 0x40) !== 0;
  let value = 0n;
  for (let at = start; at < end; at++) {
    let byte = block[at] ?? 0;
    if (isNegative) byte ^= 0xff;
    if (at === start) byte &= 0x7f;
    value = (value << 8n) | BigInt(byte);
  }
  if (value >> 63n !== 0n) throw invalidHeader(`${what} is too large`);
  return Number(isNegative ? -value - 1n : value);
}

/** Whether these bytes begin an archive: what is written in a first header adds up. */
export function isTarHead(head: Buffer): boolean {
  if (head.length < blockBytes) return false;
  try {
    return parseBlock(head.subarray(0, blockBytes)) !== undefined;
  } catch {
    return false;
  }
}
