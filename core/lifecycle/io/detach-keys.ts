import { invalidArgument } from '@gantry/sdk';

/** "ctrl-p,ctrl-q" → bytes. A key is one character or ctrl- with a letter or one of @ [ \ ] ^ _ . Empty: Docker's default. */
export function parseDetachKeys(text = ''): Buffer {
  return Buffer.from((text === '' ? 'ctrl-p,ctrl-q' : text).split(',').map(toByte));
}

function toByte(key: string): number {
  const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  throw invalidArgument(`invalid detach keys: unknown character: '${key}'`);
}

/** Looks for the sequence in stdin, also when it is split over packets. Keys that only began the sequence are passed on late, in order. */
export class DetachScanner {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** What to pass on, and whether the sequence is complete (what follows it is dropped). */
  push(data: Buffer): { readonly data: Buffer; readonly detached: boolean } {
    const out: number[] = [];
    for (const byte of data) {
      if (byte !== this.#keys[this.#matched]) {
        out.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) this.#matched += 1;
      else out.push(byte);
      if (this.#matched === this.#keys.length) return { data: Buffer.from(out), detached: true };
    }
    return { data: out.length === data.length ? data : Buffer.from(out), detached: false };
  }
}
