import { createRequire } from 'node:module';
import type { EventEmitter } from 'node:events';

export type GelfMessage = Readonly<Record<string, unknown>>;

/** A receiver of GELF datagrams, whole and in chunks, compressed or not: graygelf's server, and what it got. */
export class GelfReceiver implements Disposable {
  readonly messages: GelfMessage[] = [];
  readonly #server: GraygelfServer;

  constructor(port: number, onDatagram: (bytes: Buffer) => void = () => {}) {
    const makeServer = createRequire(import.meta.url)('graygelf/server') as () => GraygelfServer;
    this.#server = makeServer().listen(port, '127.0.0.1').unref();
    this.#server.on('data', onDatagram);
    this.#server.on('message', (message: GelfMessage) => this.messages.push(message));
  }

  of(mark: string): readonly GelfMessage[] {
    return this.messages.filter(({ short_message: text }) => typeof text === 'string' && text.startsWith(mark));
  }

  [Symbol.dispose](): void {
    this.#server.close();
  }
}

/** It brings no types. */
interface GraygelfServer extends EventEmitter {
  listen(port: number, address: string): this;
  unref(): this;
  close(): void;
}
