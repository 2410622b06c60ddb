import type { ContainerInfo, Entry } from '../contract.ts';

/** Dispose of it when it is written: the memory may serve again. */
export interface Encoded extends Disposable {
  readonly bytes: Buffer;
  /** How many entries are in it. */
  readonly count: number;
}

/** One stream's entries into records. */
export interface LogEncoder {
  /** Encodes entries from `first` on, at least one, as many as fit into `maxBytes`. */
  encode(entries: readonly Entry[], first: number, maxBytes: number): Encoded;
}

/** Records back into entries. */
export interface LogDecoder {
  /** Decodes whole records from `start` on, at most `maxEntries`, and answers where it stopped. Damaged ones are left out. Entries may share `chunk`'s memory. */
  decode(chunk: Buffer, start: number, entries: Entry[], maxEntries: number): number;
}

/** How a log is written into files: everything that differs between drivers which keep rotated files. */
export interface LogFormat {
  /** The file that is written now; rotated ones are `<path>.1`, `<path>.2.gz`, … in the same folder. */
  path(container: ContainerInfo): string;
  encoder(attributes: Readonly<Record<string, string>>): LogEncoder;
  decoder(): LogDecoder;
  /** Where the record that begins at `start` ends, or -1 when it is not whole. */
  endOf(chunk: Buffer, start: number): number;
  /** Where the last `count` records of an open file begin, and how many there are when there are fewer. */
  lastRecords(file: number, count: number): { readonly offset: number; readonly found: number };
}
