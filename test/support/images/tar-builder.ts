/**
 * Writes tar archives byte by byte, wrong ones included: every header field can be given raw. Names are latin1 strings, so any byte can be said.
 * Layout: POSIX.1-1988 ustar, pax as in POSIX.1-2001, base-256 numbers as GNU tar writes them.
 */
export interface HeaderFields {
  readonly name?: string;
  readonly size?: number;
  /** One character; `0` is a regular file. */
  readonly type?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  /** Magic and version, eight bytes. */
  readonly magic?: string;
  readonly prefix?: string;
  readonly device?: readonly [major: number, minor: number];
  /** Raw bytes of a field instead of its octal number. */
  readonly raw?: {
    readonly mode?: string;
    readonly uid?: string;
    readonly size?: string;
    readonly mtime?: string;
    readonly checksum?: string;
  };
  /** The sum to write instead of the right one. */
  readonly checksum?: number;
}

export const endOfArchive: Buffer = Buffer.alloc(1024);
export const gnuMagic = 'ustar  \0';

/** One 512-byte header block. */
export function header({
  name = 'f',
  size = 0,
  type = '0',
  link = '',
  mode = 0o644,
  uid = 0,
  gid = 0,
  mtime = 0,
  magic = 'ustar\u000000',
  prefix = '',
  device = [0, 0],
  raw = {},
  checksum,
}: HeaderFields = {}): Buffer {
  const block = Buffer.alloc(512);
  block.write(name.slice(0, 100), 0, 'latin1');
  block.write(raw.mode ?? octal(mode, 8), 100, 8, 'latin1');
  block.write(raw.uid ?? octal(uid, 8), 108, 8, 'latin1');
  block.write(octal(gid, 8), 116, 'latin1');
  block.write(raw.size ?? octal(size, 12), 124, 12, 'latin1');
  block.write(raw.mtime ?? octal(mtime, 12), 136, 12, 'latin1');
  block.write(' '.repeat(8), 148);
  block.write(type, 156, 'latin1');
  block.write(link.slice(0, 100), 157, 'latin1');
  block.write(magic, 257, 8, 'latin1');
  block.write(octal(device[0], 8), 329, 'latin1');
  block.write(octal(device[1], 8), 337, 'latin1');
  block.write(prefix.slice(0, 155), 345, 'latin1');
  block.write(raw.checksum ?? `${(checksum ?? sum(block)).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** A body padded to whole blocks. */
export function body(data: string | Uint8Array): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 511)]);
}

/** A header and its body; the size is the body's unless given. */
export function entry(name: string, data: string | Uint8Array = 'x', fields: HeaderFields = {}): Buffer {
  return Buffer.concat([header({ name, size: data.length, ...fields }), body(data)]);
}

/** A pax extended header with these records, or with `text` as its whole body. Type `g` makes it global. */
export function pax(
  records: Readonly<Record<string, string>> | readonly (readonly [string, string])[] | string,
  type: 'x' | 'g' = 'x',
): Buffer {
  const pairs = typeof records === 'string' ? [] : Array.isArray(records) ? records : Object.entries(records);
  const text = typeof records === 'string' ? records : pairs.map(([key, value]) => record(key, value)).join('');
  return entry('PaxHeaders/x', text, { type });
}

/** GNU's `L` entry: the name of the next entry, with its final NUL. */
export function gnuLongName(name: string): Buffer {
  return entry('././@LongLink', `${name}\0`, { type: 'L', magic: gnuMagic });
}

/** A number in base 256, as GNU tar writes what octal cannot hold. */
export function base256(value: bigint, width: number): string {
  const bits = BigInt(8 * (width - 1));
  const digits = BigInt.asUintN(Number(bits), value)
    .toString(16)
    .padStart(2 * (width - 1), '0');
  return (value < 0n ? '\u00ff' : '\u0080') + Buffer.from(digits, 'hex').toString('latin1');
}

/** What very old tars wrote: the sum of the bytes taken as signed. */
export function signedChecksum(block: Buffer): number {
  const copy = Buffer.from(block);
  copy.write(' '.repeat(8), 148);
  return copy.reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0);
}

function sum(block: Buffer): number {
  return block.reduce((total, byte) => total + byte, 0);
}

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}
