import { fstatSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry, LogDecoder, LogFormat } from '@gantry/sdk/log';
import { decodeEntry } from '@gantry/sdk/legacy/wire';
import { Encoder } from './encode.ts';

const sizeBytes = 4;
/** Two of them frame an entry: [u32, big endian][protobuf LogEntry][the same u32], so that a file can be read backwards. */
const frameBytes = 2 * sizeBytes;
/** Far above what an entry of 16 KiB takes: a bigger size is damage. */
const longestEntry = 64 * 1024;
/** Every entry begins with its source, "stdout" or "stderr": field 1, six bytes. */
const head = Buffer.from('\n\x06std');

/** The files of Docker's local driver. */
export const localFormat: LogFormat = {
  path: ({ dir }) => join(dir, 'local-logs', 'container.log'),
  encoder: () => new Encoder(),
  decoder: () => decoder,
  endOf: (chunk, start) => frameAt(chunk, start)?.end ?? -1,
  lastRecords,
};

const decoder: LogDecoder = {
  decode(chunk, start, entries, maxEntries) {
    let at = start;
    while (entries.length < maxEntries) {
      const frame = frameAt(chunk, at);
      if (frame === undefined) break;
      if (frame.entry !== undefined) entries.push(frame.entry);
      at = frame.end;
    }
    return at;
  },
};

interface Frame {
  readonly start: number;
  readonly end: number;
  /** Undefined: no entry, whatever its frame says. */
  readonly entry: Entry | undefined;
}

/** The next frame from here on. What is damaged, as after a power cut, is passed over to where frames begin again. */
function frameAt(chunk: Buffer, start: number): Frame | undefined {
  for (let at = start; at + sizeBytes + head.length <= chunk.length; at += 1) {
    const size = chunk.readUInt32BE(at);
    if (size === 0 || size > longestEntry || !chunk.subarray(at + sizeBytes, at + sizeBytes + head.length).equals(head)) continue;
    const end = at + frameBytes + size;
    // It may not be whole yet; when it never will be, what comes behind it shows that.
    if (end > chunk.length) return undefined;
    if (chunk.readUInt32BE(end - sizeBytes) === size)
      return { start: at, end, entry: entryOf(chunk.subarray(at + sizeBytes, end - sizeBytes)) };
  }
  return undefined;
}

function entryOf(message: Buffer): Entry | undefined {
  try {
    return decodeEntry(message);
  } catch {
    return undefined;
  }
}

/** Goes backwards from frame to frame; where there is damage it reads what is in front of it. */
function lastRecords(file: number, count: number): { readonly offset: number; readonly found: number } {
  let offset = fstatSync(file).size;
  for (let found = 0; found < count; found += 1) {
    if (offset === 0) return { offset, found };
    const size = sizeAt(file, offset - sizeBytes);
    const start = offset - frameBytes - size;
    if (size === 0 || start < 0 || sizeAt(file, start) !== size) {
      const starts = startsBefore(file, offset);
      return { offset: starts.at(found - count) ?? 0, found: Math.min(count, found + starts.length) };
    }
    offset = start;
  }
  return { offset, found: count };
}

function sizeAt(file: number, at: number): number {
  const size = Buffer.alloc(sizeBytes);
  return readSync(file, size, 0, sizeBytes, Math.max(0, at)) === sizeBytes ? size.readUInt32BE() : 0;
}

function startsBefore(file: number, end: number): readonly number[] {
  const chunk = Buffer.alloc(end);
  readSync(file, chunk, 0, end, 0);
  const starts: number[] = [];
  for (let frame = frameAt(chunk, 0); frame !== undefined; frame = frameAt(chunk, frame.end)) starts.push(frame.start);
  return starts;
}
