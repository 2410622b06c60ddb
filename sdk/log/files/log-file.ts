import { closeSync, fstatSync, ftruncateSync, openSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { fromErrno } from '../../errors.ts';
import { logAttributes } from '../attributes.ts';
import type { ContainerInfo, Entry } from '../contract.ts';
import type { LogEncoder, LogFormat } from './format.ts';
import type { FileOptions } from './options.ts';
import { type Place, placePath, readPlace, writePlace } from './place.ts';
import { rotate } from './rotate.ts';

/** A write into the page cache takes less time than asking another thread for it; one that took longer than this waited for the disk. */
const slowWriteMs = 5;
/** After a slow write others wait in another thread for so long, so that the event loop does not. */
const slowForMs = 1_000;
let slowUntil = 0;
const writeAsync = promisify(write);

export interface LogFileOptions {
  readonly container: ContainerInfo;
  /** The container's own, for what its entries are marked with. */
  readonly options: Readonly<Record<string, string>>;
  readonly streamId: string;
  readonly format: LogFormat;
  readonly files: FileOptions;
}

/** One container's open log file. */
export class LogFile implements Disposable {
  readonly #path: string;
  readonly #placePath: string;
  readonly #streamId: string;
  readonly #options: FileOptions;
  readonly #encoder: LogEncoder;
  readonly #onRotated: () => void;
  #file: number;
  #inode: number;
  #sizeBytes: number;
  #seq: number;
  /** What lies behind this size was written by somebody who was killed before he could say so. */
  #sureBytes: number | undefined;

  constructor({ container, options, streamId, format, files }: LogFileOptions, onRotated: () => void) {
    this.#path = format.path(container);
    this.#placePath = placePath(this.#path);
    this.#streamId = streamId;
    this.#options = files;
    this.#encoder = format.encoder(logAttributes(container, options));
    this.#onRotated = onRotated;
    this.#file = openLog(this.#path);
    const { ino, size } = fstatSync(this.#file);
    this.#inode = ino;
    this.#sizeBytes = size;
    const place = readPlace(this.#placePath);
    const isOurs = place?.streamId === streamId;
    this.#seq = isOurs ? place.seq : 0;
    if (isOurs && place.inode === ino && size > place.sizeBytes) this.#sureBytes = place.sizeBytes;
    // Before the first write: who is killed after it must not find a file of which no note speaks.
    if (!isOurs) this.#record(0);
  }

  /** Number of the last stored entry of this stream. */
  get seq(): number {
    return this.#seq;
  }

  /** Stores what is not stored yet; a failure leaves no half line. */
  async append(firstSeq: number, entries: readonly Entry[]): Promise<void> {
    this.#dropUnsure(firstSeq);
    let next = Math.max(0, this.#seq - firstSeq + 1);
    while (next < entries.length) {
      if (this.#sizeBytes >= this.#options.maxBytes) await this.#rotate();
      using encoded = this.#encoder.encode(entries, next, this.#options.maxBytes - this.#sizeBytes);
      await this.#write(encoded.bytes);
      next += encoded.count;
      this.#record(firstSeq + next - 1);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #dropUnsure(firstSeq: number): void {
    // Only what comes again may go.
    if (this.#sureBytes !== undefined && firstSeq <= this.#seq + 1) {
      ftruncateSync(this.#file, this.#sureBytes);
      this.#sizeBytes = this.#sureBytes;
    }
    this.#sureBytes = undefined;
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        const before = performance.now();
        if (before >= slowUntil) at += writeSync(this.#file, bytes, at, bytes.length - at);
        else at += (await writeAsync(this.#file, bytes, at, bytes.length - at, null)).bytesWritten;
        const after = performance.now();
        if (after - before > slowWriteMs) slowUntil = after + slowForMs;
      }
      this.#sizeBytes += bytes.length;
    } catch (error) {
      ftruncateSync(this.#file, this.#sizeBytes);
      throw fromErrno(error, `write ${this.#path}`);
    }
  }

  #record(seq: number): void {
    this.#seq = seq;
    writePlace(this.#placePath, { streamId: this.#streamId, seq, inode: this.#inode, sizeBytes: this.#sizeBytes } satisfies Place);
  }

  async #rotate(): Promise<void> {
    await rotate(this.#path, this.#options);
    const file = openLog(this.#path);
    closeSync(this.#file);
    this.#file = file;
    this.#inode = fstatSync(file).ino;
    this.#sizeBytes = 0;
    this.#record(this.#seq);
    this.#onRotated();
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o640);
  } catch (error) {
    throw fromErrno(error, `open log file ${path}`);
  }
}
