import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tarCases } from './cases.ts';

export interface ExpectedEntry {
  readonly type: string;
  /** Latin1, as the bytes stand in the archive. */
  readonly name: string;
  readonly linkname: string;
  /** What the header claims, as a double: two claims are larger than one can say exactly. */
  readonly headerSize: number;
  /** What a reader of the body got. */
  readonly bodyBytes: number;
  readonly uid: number;
  readonly mode: number;
}

export interface TarCase {
  readonly name: string;
  readonly bytes: () => Buffer;
  /** What Go's archive/tar, which every other engine reads layers with, makes of it: entries first, then the error if it ends in one. */
  readonly expected: { readonly result: 'ok' | 'error'; readonly message: string; readonly entries: readonly ExpectedEntry[] };
}

type Expected = Readonly<Record<string, TarCase['expected']>>;

/** Odd and hostile archives, each with the answer that a layer reader has to give. */
export function readTarCases(): readonly TarCase[] {
  const expected = JSON.parse(readFileSync(join(import.meta.dirname, 'expected.json'), 'utf8')) as Expected;
  return Object.entries(tarCases).map(([name, bytes]) => {
    const answer = expected[name];
    if (answer === undefined) throw new Error(`expected.json has no ${name}`);
    return { name, bytes, expected: answer };
  });
}
