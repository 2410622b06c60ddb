import type { Readable, Writable } from 'node:stream';
import { codeOf } from '@gantry/sdk';
import type { Attached, OutputChunk } from '@gantry/sdk/engine';
import { Outgoing } from './outgoing.ts';
import { frameHeader } from './stdcopy.ts';

/** Once our last byte is on its way, a client that sends nothing gets this long to close its side. */
const lingerMs = 5_000;

/** The far end of a hijacked connection: its input is a process's stdin, what is written to it the process's output. */
export class Peer {
  readonly #input: Readable | undefined;
  readonly #output: Writable;
  readonly #outgoing: Outgoing;
  readonly #tty: boolean;

  /** Without `input` the client cannot send anything, and the process's stdin stays as it is. */
  constructor({ input, output, tty }: { readonly input: Readable | undefined; readonly output: Writable; readonly tty: boolean }) {
    this.#input = input;
    this.#output = output;
    this.#outgoing = new Outgoing(output);
    this.#tty = tty;
  }

  /** Joins the client and a process until the process's output ends or the client goes. A closed stdin leaves the output going. */
  async join(attached: Attached, { stdin }: { readonly stdin: boolean }): Promise<void> {
    const joined = { ended: false };
    if (stdin && this.#input !== undefined) void feed(this.#input, attached, joined);
    else this.#input?.resume();
    try {
      for await (const { source, data } of attached.output) await this.write(source, data);
    } catch (error) {
      if (codeOf(error) !== 'cancelled') this.#output.destroy();
    } finally {
      joined.ended = true;
      this.close();
      await attached[Symbol.asyncDispose]();
    }
  }

  async write(source: OutputChunk['source'], data: Buffer): Promise<void> {
    if (this.#tty) await this.#outgoing.write(data);
    else await this.#outgoing.write(frameHeader(source, data.length), data);
  }

  /**
   * Ends our side and lets the client end its own: closing a socket with unread input would reset it and take our last bytes with it.
   * A client may take as long as it likes to read what is still here, and one that still sends has not seen the end yet.
   */
  close(): void {
    this.#output.end();
    this.#input?.resume();
    this.#output.once('finish', () => {
      const cut = setTimeout(() => this.#output.destroy(), lingerMs);
      this.#input?.on('data', () => cut.refresh());
      this.#output.once('close', () => clearTimeout(cut));
    });
  }
}

/** After a detach the client closes its side too: that must not end the stdin of a process that goes on. */
async function feed(input: Readable, attached: Attached, joined: { readonly ended: boolean }): Promise<void> {
  try {
    for await (const chunk of input.iterator({ destroyOnReturn: false })) {
      if (joined.ended) continue;
      await attached.write(chunk as Buffer);
    }
    if (!joined.ended) await attached.end();
  } catch {
    // The process is gone or closed its stdin, or the client went: the output side ends the connection.
    input.resume();
  }
}
