import type { MessagePort } from 'node:worker_threads';
import { cancelled } from '@gantry/sdk';
import { controlCells, type FromWorker, window } from './protocol.ts';

/** One job's line to its asker: inputs, outputs with back-pressure, and the wish to stop. */
export class Channel {
  readonly id: number;
  readonly #port: MessagePort;
  readonly #control: Int32Array;
  readonly #inputs: (Buffer | undefined)[] = [];
  #wake: (() => void) | undefined;
  #sent = 0;

  constructor(port: MessagePort, { id, control }: { readonly id: number; readonly control: SharedArrayBuffer }) {
    this.id = id;
    this.#port = port;
    this.#control = new Int32Array(control);
  }

  /** To be called now and then: says that the work goes on, and throws when nobody waits for the result any more. */
  check(): void {
    Atomics.add(this.#control, controlCells.beats, 1);
    if (Atomics.load(this.#control, controlCells.stop) === 1) throw cancelled('stopped');
  }

  receive(chunk: Uint8Array | undefined): void {
    this.#inputs.push(chunk === undefined ? undefined : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#wake?.();
  }

  async *input(): AsyncIterable<Buffer> {
    for (;;) {
      while (this.#inputs.length === 0) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.check();
      }
      const chunk = this.#inputs.shift();
      this.check();
      if (chunk === undefined) return;
      yield chunk;
      this.#port.postMessage({ kind: 'taken' } satisfies FromWorker);
    }
  }

  /** Gives the bytes away; blocks this thread while the asker is too far behind. */
  output(chunk: Uint8Array<ArrayBuffer>): void {
    while (this.#sent - Atomics.load(this.#control, controlCells.taken) >= window) {
      this.check();
      Atomics.wait(this.#control, controlCells.taken, Atomics.load(this.#control, controlCells.taken), 1000);
    }
    this.check();
    this.#sent += 1;
    this.#port.postMessage({ kind: 'output', chunk } satisfies FromWorker, [chunk.buffer]);
  }
}
