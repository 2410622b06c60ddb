import { invalidArgument } from '@gantry/sdk/errors';

export const defaultDetachKeys = 'ctrl-p,ctrl-q';

/** "ctrl-p,ctrl-q", "ctrl-x,a" → the bytes to look for. */
export function parseDetachKeys(text: string): Buffer {
  return Buffer.from(
    text.split(',').map((key) => {
      const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
      if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
      if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
      throw invalidArgument(`${JSON.stringify(key.slice(0, 40))} is not a key`, { hint: 'write keys with commas between: ctrl-p,ctrl-q' });
    }),
  );
}

/** Finds the sequence in what is typed. A part of it is held back until it is known whether the rest follows. */
export class DetachDetector {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** What may be sent on, and whether the sequence was completed (what comes after it is dropped). */
  push(typed: Buffer): { readonly send: Buffer; readonly detached: boolean } {
    const send: number[] = [];
    for (const byte of typed) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched += 1;
        if (this.#matched === this.#keys.length) return { send: Buffer.from(send), detached: true };
        continue;
      }
      send.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) send.push(byte);
    }
    return { send: Buffer.from(send), detached: false };
  }
}
