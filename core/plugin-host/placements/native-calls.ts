import { closeSync, constants, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** What a plugin that shares the engine's process was doing. */
export interface NativeCall {
  readonly plugin: string;
  /** "volume driver x: create" */
  readonly call: string;
}

const recordBytes = 1_024;

/**
 * Writes down, before it begins, each call to code of others in the engine's process: native code there that crashes takes the engine along, which
 * then can say nothing any more. The next engine reads what the last one was at. In the page cache, so a write costs some microseconds.
 */
export class NativeCalls implements Disposable {
  readonly #path: string;
  /** What the last engine was at when it ended without tidying up. */
  readonly last: NativeCall | undefined;
  readonly #underWay = new Set<NativeCall>();
  #file: number | undefined;

  constructor(path: string) {
    this.#path = path;
    this.last = readCall(path);
    rmSync(path, { force: true });
  }

  /** Under way until disposed of. */
  begin(call: NativeCall): Disposable {
    const own = { ...call };
    this.#underWay.add(own);
    this.#write(own);
    return {
      [Symbol.dispose]: () => {
        this.#underWay.delete(own);
        this.#write([...this.#underWay].at(-1));
      },
    };
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    rmSync(this.#path, { force: true });
  }

  #write(call: NativeCall | undefined): void {
    const text = call === undefined ? '' : JSON.stringify({ plugin: call.plugin.slice(0, 256), call: call.call.slice(0, 256) });
    writeSync(this.#opened(), Buffer.from(text.padEnd(recordBytes)).subarray(0, recordBytes), 0, recordBytes, 0);
  }

  #opened(): number {
    if (this.#file === undefined) {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      this.#file = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, 0o600);
    }
    return this.#file;
  }
}

/** A file that was being written is none that says anything. */
function readCall(path: string): NativeCall | undefined {
  try {
    const { plugin, call } = JSON.parse(readFileSync(path, 'utf8')) as Partial<NativeCall>;
    return typeof plugin === 'string' && typeof call === 'string' ? { plugin, call } : undefined;
  } catch {
    return undefined;
  }
}
