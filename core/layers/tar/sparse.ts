import { invalidHeader, numeric, TarError, type TarHeader } from './header.ts';
import { decimal, sparseMapKey, type PaxRecords } from './pax.ts';

/** One stretch of data in a file that is zeros elsewhere. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** An archive cannot make us hold more stretches than this for one file. */
export const maxExtents = 100_000;

/** Which of the PAX sparse formats (GNU tar manual, "Sparse Formats") the entry is in. */
export function paxSparseVersion(records: PaxRecords): '0.x' | '1.0' | undefined {
  const text = (key: string) => records.get(key)?.toString('latin1') ?? '';
  const major = text('GNU.sparse.major');
  const minor = text('GNU.sparse.minor');
  if (major === '1' && minor === '0') return '1.0';
  if (major === '0' && (minor === '0' || minor === '1')) return '0.x';
  if (major !== '' || minor !== '') return undefined;
  return text(sparseMapKey) === '' ? undefined : '0.x';
}

/** The real name and size of a PAX sparse file. */
export function mergeSparse(header: TarHeader, records: PaxRecords): void {
  const name = records.get('GNU.sparse.name');
  if (name !== undefined && name.length > 0) header.name = name;
  const size = (records.get('GNU.sparse.size') ?? records.get('GNU.sparse.realsize'))?.toString('latin1') ?? '';
  if (size !== '') header.size = decimal(size, 'sparse size');
}

export function extentsOfPax(records: PaxRecords): Extent[] {
  const map = records.get(sparseMapKey)?.toString('latin1') ?? '';
  const numbers = map === '' ? [] : map.split(',');
  const count = decimal(records.get('GNU.sparse.numblocks')?.toString('latin1') ?? '', 'sparse block count');
  if (numbers.length !== 2 * count) throw invalidHeader('sparse map has another length than it says');
  return pairs(numbers);
}

/** The map of format 1.0, which lies before the data in blocks of its own: fed line by line until it is whole. */
export class SparseMapLines {
  readonly #numbers: string[] = [];
  #rest = '';
  #wanted = 1;

  /** Takes the next block; true when the map is whole. */
  push(block: Buffer): boolean {
    const lines = (this.#rest + block.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > 1024) throw invalidHeader('sparse map has an endless line');
    for (const line of lines) {
      if (this.#numbers.length === 0) this.#wanted = 1 + 2 * checkedCount(decimal(line, 'sparse block count'));
      if (this.#numbers.length < this.#wanted) this.#numbers.push(line);
    }
    return this.#numbers.length >= this.#wanted;
  }

  extents(): Extent[] {
    return pairs(this.#numbers.slice(1));
  }
}

/** Entries of the old GNU format, in the header itself or in an extension block. */
export function oldGnuExtents(block: Buffer, start: number, count: number, into: Extent[]): boolean {
  for (let entry = 0; entry < count; entry++) {
    const at = start + entry * 24;
    if (block[at] === 0) break;
    into.push({ offset: numeric(block, at, at + 12, 'sparse offset'), length: numeric(block, at + 12, at + 24, 'sparse length') });
    checkedCount(into.length);
  }
  return (block[start + count * 24] ?? 0) > 0;
}

/** In order, without overlap, inside the file. */
export function checkExtents(extents: readonly Extent[], sizeBytes: number): void {
  if (sizeBytes < 0) throw invalidHeader('negative size');
  let end = 0;
  for (const { offset, length } of extents) {
    if (offset < end || length < 0 || offset + length > sizeBytes) throw invalidHeader('sparse map is not in order or leaves the file');
    end = offset + length;
  }
}

function pairs(numbers: readonly string[]): Extent[] {
  checkedCount(numbers.length / 2);
  const extents: Extent[] = [];
  for (let at = 0; at + 1 < numbers.length; at += 2) {
    extents.push({ offset: decimal(numbers[at] ?? '', 'sparse offset'), length: decimal(numbers[at + 1] ?? '', 'sparse length') });
  }
  return extents;
}

function checkedCount(count: number): number {
  if (count < 0) throw invalidHeader('negative sparse block count');
  if (count > maxExtents) throw new TarError(`sparse file with more than ${maxExtents} stretches of data`);
  return count;
}
