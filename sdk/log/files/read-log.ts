import { closeSync, fstatSync, openSync, read } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import type { Entry, ReadRequest } from '../contract.ts';
import { compareLogTime } from '../time.ts';
import type { LogDecoder, LogFormat } from './format.ts';

const readAsync = promisify(read);
const readBytes = 256 * 1024;
const gzipBytes = 64 * 1024;
/** Few enough to be used up before the collector looks: the engine's young generation is 1 MiB, and 1,000 at a time cost half as much again. */
const maxEntries = 250;

/** What a reader needs to know of whoever writes the same files; one object per container. */
export interface Writer {
  /** Counts rotations. */
  readonly rotations: number;
  readonly isOpen: boolean;
  /** Resolves at the next append, rotation or close. */
  changed(signal: AbortSignal): Promise<void>;
}

/** Open files, since their names move on with every rotation. */
type Part = { readonly kind: 'plain' | 'gzip'; readonly file: number };

/** Entries over all files, oldest first, then as they come while `writer` is open. */
export async function* readLog(
  format: LogFormat,
  request: ReadRequest,
  { writer, signal }: { readonly writer: Writer | undefined; readonly signal: AbortSignal },
): AsyncGenerator<readonly Entry[]> {
  const { tail, follow } = request;
  const path = format.path(request.container);
  const isWanted = filterOf(request);
  const parts = openParts(path);
  try {
    let rotations = writer?.rotations ?? 0;
    const start = tail === undefined ? { part: 0, offset: 0, skip: 0 } : await findTail(format, parts, tail);
    const decoder = format.decoder();
    for (let index = start.part; index < parts.length; index += 1) {
      const part = parts[index];
      if (part === undefined) break;
      const isFirst = index === start.part;
      const isLast = index === parts.length - 1;
      const options = { offset: isFirst ? start.offset : 0, skip: isFirst ? start.skip : 0, signal };
      // The last plain file is the one that is written.
      const waitFor = follow && isLast && part.kind === 'plain' ? writer : undefined;
      const entries =
        part.kind === 'gzip'
          ? fromGzip(part.file, decoder, { ...options, format })
          : fromFile(part.file, decoder, { ...options, writer: waitFor, rotations });
      for await (const batch of entries) {
        const found = batch.filter(isWanted);
        if (found.length > 0) yield found;
        if (isPast(batch.at(-1), request)) return;
      }
      if (isLast && follow && writer !== undefined && writer.rotations > rotations) {
        const next = openAfter(path, writer.rotations - rotations);
        rotations = next.rotations(writer.rotations);
        if (next.part !== undefined) parts.push(next.part);
      }
    }
  } finally {
    for (const { file } of parts) closeSync(file);
  }
}

/** All parts as they are in this moment, oldest first: no await, so no rotation of ours comes between. */
function openParts(path: string): Part[] {
  const parts: Part[] = [];
  for (let number = 0; ; number += 1) {
    const part = openPart(number === 0 ? path : `${path}.${number}`);
    if (part === undefined && number > 0) break;
    if (part !== undefined) parts.unshift(part);
  }
  return parts;
}

function openPart(path: string): Part | undefined {
  const plain = tryOpen(path);
  if (plain !== undefined) return { kind: 'plain', file: plain };
  const gzip = tryOpen(`${path}.gz`);
  return gzip === undefined ? undefined : { kind: 'gzip', file: gzip };
}

/** The file that followed the one that was the newest `behind` rotations ago; when it is gone, the oldest that is left. */
function openAfter(path: string, behind: number): { readonly part: Part | undefined; rotations(now: number): number } {
  for (let back = behind - 1; back >= 0; back -= 1) {
    const part = openPart(back === 0 ? path : `${path}.${back}`);
    if (part !== undefined) return { part, rotations: (now) => now - back };
  }
  return { part: undefined, rotations: (now) => now };
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

interface PartOptions {
  readonly offset: number;
  /** Records to leave out. */
  readonly skip: number;
  readonly signal: AbortSignal;
}

async function* fromFile(
  file: number,
  decoder: LogDecoder,
  { offset, signal, writer, rotations }: PartOptions & { readonly writer: Writer | undefined; readonly rotations: number },
): AsyncGenerator<readonly Entry[]> {
  for (let at = offset; ; ) {
    signal.throwIfAborted();
    // Asked before reading: what was written before the end, or the rotation, is read after it.
    const mayGrow = writer !== undefined && writer.isOpen && writer.rotations === rotations;
    const { size } = fstatSync(file);
    const chunk = Buffer.allocUnsafeSlow(Math.max(0, Math.min(readBytes, size - at)));
    const { bytesRead } = chunk.length === 0 ? { bytesRead: 0 } : await readAsync(file, chunk, 0, chunk.length, at);
    let used = 0;
    for (let isFull = true; isFull; ) {
      const entries: Entry[] = [];
      used = decoder.decode(chunk.subarray(0, bytesRead), used, entries, maxEntries);
      isFull = entries.length === maxEntries;
      if (entries.length > 0) yield entries;
    }
    // A record longer than a whole read is none of ours.
    at += used === 0 && bytesRead === readBytes ? bytesRead : used;
    if (used > 0 || bytesRead === readBytes) continue;
    if (!mayGrow) return;
    const isUnchanged = writer.isOpen && writer.rotations === rotations && fstatSync(file).size === size;
    if (isUnchanged) await writer.changed(signal);
  }
}

async function* fromGzip(
  file: number,
  decoder: LogDecoder,
  { skip, signal, format }: PartOptions & { readonly format: LogFormat },
): AsyncGenerator<readonly Entry[]> {
  let left = skip;
  let carry: Buffer = Buffer.alloc(0);
  for await (const piece of gunzipped(file)) {
    signal.throwIfAborted();
    const chunk: Buffer = carry.length === 0 ? piece : Buffer.concat([carry, piece]);
    let used = 0;
    for (; left > 0; left -= 1) {
      const end = format.endOf(chunk, used);
      if (end === -1) break;
      used = end;
    }
    for (let isFull = left === 0; isFull; ) {
      const entries: Entry[] = [];
      used = decoder.decode(chunk, used, entries, maxEntries);
      isFull = entries.length === maxEntries;
      if (entries.length > 0) yield entries;
    }
    carry = chunk.subarray(used);
  }
}

/** A damaged file ends early; the rest of the log is still of use. */
async function* gunzipped(file: number): AsyncGenerator<Buffer> {
  const source = Readable.from(bytesOf(file));
  const target = source.pipe(createGunzip());
  source.on('error', (error) => target.destroy(error));
  try {
    for await (const piece of target as AsyncIterable<Buffer>) yield piece;
  } catch {
    return;
  } finally {
    source.destroy();
  }
}

async function* bytesOf(file: number): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const chunk = Buffer.allocUnsafe(gzipBytes);
    const { bytesRead } = await readAsync(file, chunk, 0, chunk.length, at);
    if (bytesRead === 0) return;
    yield chunk.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function findTail(
  format: LogFormat,
  parts: readonly Part[],
  count: number,
): Promise<{ readonly part: number; readonly offset: number; readonly skip: number }> {
  let missing = count;
  for (let index = parts.length - 1; index >= 0; index -= 1) {
    const part = parts[index];
    if (part === undefined) break;
    if (part.kind === 'plain') {
      const { offset, found } = format.lastRecords(part.file, missing);
      if (found >= missing) return { part: index, offset, skip: 0 };
      missing -= found;
    } else {
      const records = await countRecords(format, part.file);
      if (records >= missing) return { part: index, offset: 0, skip: records - missing };
      missing -= records;
    }
  }
  return { part: 0, offset: 0, skip: 0 };
}

async function countRecords(format: LogFormat, file: number): Promise<number> {
  let records = 0;
  let carry: Buffer = Buffer.alloc(0);
  for await (const piece of gunzipped(file)) {
    const chunk: Buffer = carry.length === 0 ? piece : Buffer.concat([carry, piece]);
    let used = 0;
    for (let end = format.endOf(chunk, 0); end !== -1; end = format.endOf(chunk, end)) {
      records += 1;
      used = end;
    }
    carry = chunk.subarray(used);
  }
  return records;
}

function filterOf({ stdout, stderr, since, until }: ReadRequest): (entry: Entry) => boolean {
  return ({ source, time }) =>
    (source === 'stdout' ? stdout : stderr) &&
    (since === undefined || compareLogTime(time, since) >= 0) &&
    (until === undefined || compareLogTime(time, until) <= 0);
}

function isPast(entry: Entry | undefined, { until }: ReadRequest): boolean {
  return entry !== undefined && until !== undefined && compareLogTime(entry.time, until) > 0;
}
