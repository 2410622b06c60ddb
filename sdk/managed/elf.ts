import { closeSync, openSync, readSync } from 'node:fs';
import { invalidArgument } from '../errors.ts';

/** What a program or library of a Linux machine needs to run (elf(5)). */
export interface Elf {
  /** EM_*: 62 is x86-64, 183 aarch64. */
  readonly machine: number;
  /** The loader; absent: it needs none. */
  readonly interpreter?: string;
  readonly needed: readonly string[];
  /** Where it looks first; `$ORIGIN` is its own folder. */
  readonly runPath: readonly string[];
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** Names of symbols are the longest of what is read, and a program's own word for how long. */
const longestTable = 64 * 1024 * 1024;

/** Reads the head of a file; undefined for one that is no ELF file. Only of 64 bits, in either byte order. */
export function readElf(path: string): Elf | undefined {
  const file = openSync(path, 'r');
  try {
    const bytes = (offset: number, size: number): Buffer => {
      const into = Buffer.alloc(Math.min(size, longestTable));
      return into.subarray(0, readSync(file, into, 0, into.length, offset));
    };
    const head = bytes(0, 64);
    if (head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
    if (head[4] !== 2) throw invalidArgument(`${path} is a program of 32 bits`);
    const isLittle = head[5] === 1;
    const number = (from: Buffer, at: number, size: 2 | 4 | 8): number => {
      if (size === 8) return Number(isLittle ? from.readBigUInt64LE(at) : from.readBigUInt64BE(at));
      return isLittle ? from.readUIntLE(at, size) : from.readUIntBE(at, size);
    };
    const segments = segmentsIn(bytes(number(head, 32, 8), number(head, 54, 2) * number(head, 56, 2)), number(head, 54, 2), number);
    const interpreter = segments.find(({ type }) => type === 3);
    const dynamic = segments.find(({ type }) => type === 2);
    return {
      machine: number(head, 18, 2),
      ...(interpreter === undefined ? {} : { interpreter: textAt(bytes(interpreter.offset, interpreter.size), 0) }),
      ...(dynamic === undefined
        ? { needed: [], runPath: [] }
        : dynamicIn(bytes(dynamic.offset, dynamic.size), { segments, number, bytes })),
    };
  } finally {
    closeSync(file);
  }
}

type Numbers = (from: Buffer, at: number, size: 2 | 4 | 8) => number;

function segmentsIn(table: Buffer, entryBytes: number, number: Numbers): readonly Segment[] {
  const segments: Segment[] = [];
  for (let at = 0; entryBytes > 0 && at + entryBytes <= table.length; at += entryBytes)
    segments.push({
      type: number(table, at, 4),
      offset: number(table, at + 8, 8),
      address: number(table, at + 16, 8),
      size: number(table, at + 32, 8),
    });
  return segments;
}

function dynamicIn(
  table: Buffer,
  {
    segments,
    number,
    bytes,
  }: { readonly segments: readonly Segment[]; readonly number: Numbers; readonly bytes: (offset: number, size: number) => Buffer },
): Pick<Elf, 'needed' | 'runPath'> {
  const entries: (readonly [tag: number, value: number])[] = [];
  for (let at = 0; at + 16 <= table.length; at += 16) entries.push([number(table, at, 8), number(table, at + 8, 8)]);
  const valueOf = (tag: number): number => entries.find(([each]) => each === tag)?.[1] ?? 0;
  const [address, size] = [valueOf(5 /* DT_STRTAB */), valueOf(10 /* DT_STRSZ */)];
  const holder = segments.find((each) => each.type === 1 && address >= each.address && address < each.address + each.size);
  const names = holder === undefined ? Buffer.alloc(0) : bytes(holder.offset + address - holder.address, size);
  const textsOf = (tag: number): readonly string[] => entries.filter(([each]) => each === tag).map(([, at]) => textAt(names, at));
  const paths = [...textsOf(29 /* DT_RUNPATH */), ...textsOf(15 /* DT_RPATH */)];
  return { needed: textsOf(1 /* DT_NEEDED */), runPath: paths.flatMap((path) => path.split(':')).filter((path) => path !== '') };
}

function textAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(0, at);
  return bytes.toString('utf8', at, end < 0 ? bytes.length : end);
}
