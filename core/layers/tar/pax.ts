import { invalidHeader, type TarHeader, type TarTime } from './header.ts';

/** Keys are latin1 text (one character per byte), values are bytes. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

export const xattrPrefix = 'SCHILY.xattr.';
export const sparseMapKey = 'GNU.sparse.map';

/** The records of a PAX extended header (POSIX.1-2001, pax): "length key=value\n" each. Throws `TarError` on any that is not well-formed. */
export function parsePax(data: Buffer): PaxRecords {
  const records = new Map<string, Buffer>();
  const sparseMap: string[] = [];
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : decimal(data.toString('latin1', at, space), 'PAX record length');
    const end = at + length;
    const equals = data.indexOf(0x3d, space + 1);
    if (!(length >= 5) || end > data.length || space + 1 > end - 1 || data[end - 1] !== 0x0a || equals < 0 || equals >= end - 1) {
      throw invalidHeader('malformed PAX record');
    }
    const key = data.toString('latin1', space + 1, equals);
    const value = data.subarray(equals + 1, end - 1);
    checkNul(key, value);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') addSparse(sparseMap, key, value);
    else records.set(key, value);
    at = end;
  }
  if (sparseMap.length > 0) records.set(sparseMapKey, Buffer.from(sparseMap.join(','), 'latin1'));
  return records;
}

/** Lets the records override what the block said; an empty value overrides nothing. */
export function mergePax(header: TarHeader, records: PaxRecords): void {
  let xattrs: Map<string, Buffer> | undefined;
  for (const [key, value] of records) {
    if (value.length === 0) continue;
    if (key === 'path') header.name = value;
    else if (key === 'linkpath') header.linkName = value;
    else if (key === 'uname') header.userName = value;
    else if (key === 'gname') header.groupName = value;
    else if (key === 'uid') header.uid = decimal(value.toString('latin1'), 'PAX uid');
    else if (key === 'gid') header.gid = decimal(value.toString('latin1'), 'PAX gid');
    else if (key === 'size') header.size = decimal(value.toString('latin1'), 'PAX size');
    else if (key === 'mtime') header.mtime = parseTime(value.toString('latin1'), 'mtime');
    else if (key === 'atime' || key === 'ctime') parseTime(value.toString('latin1'), key);
    else if (key.startsWith(xattrPrefix)) (xattrs ??= new Map()).set(key.slice(xattrPrefix.length), value);
  }
  if (xattrs !== undefined) header.xattrs = xattrs;
}

/** A signed 64-bit decimal number; beyond 2^53 rounded. */
export function decimal(text: string, what: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw invalidHeader(`${what} ${JSON.stringify(text.slice(0, 40))} is no number`);
  const value = Number(text);
  if (Math.abs(value) > 2 ** 63) throw invalidHeader(`${what} is too large`);
  return value;
}

function parseTime(text: string, what: string): TarTime {
  const [, whole = '', fraction = ''] = /^([+-]?\d+)(?:\.(\d*))?$/.exec(text) ?? [];
  const seconds = decimal(whole, `PAX ${what}`);
  const nanos = Number(fraction.slice(0, 9).padEnd(9, '0'));
  return whole.startsWith('-') && nanos > 0 ? { seconds: seconds - 1, nanos: 1e9 - nanos } : { seconds, nanos };
}

function checkNul(key: string, value: Buffer): void {
  if (key === '') throw invalidHeader('PAX record without a key');
  const inValue = key === 'path' || key === 'linkpath' || key === 'uname' || key === 'gname';
  if (inValue ? value.includes(0) : key.includes('\0')) throw invalidHeader(`NUL in PAX ${inValue ? key : 'key'}`);
}

function addSparse(map: string[], key: string, value: Buffer): void {
  const expected = map.length % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes';
  if (key !== expected || value.includes(0x2c)) throw invalidHeader('PAX sparse map out of order');
  map.push(value.toString('latin1'));
}
