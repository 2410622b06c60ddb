import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** Keeps count of a server's connections. */
export class Crowd {
  readonly #most: number;
  readonly #tooMany = new WeakSet<Socket>();
  #open = 0;

  constructor(most: number) {
    this.#most = most;
  }

  watch(server: Server, event: 'connection' | 'secureConnection'): void {
    server.on(event, (socket: Socket) => {
      if (this.#open >= this.#most) this.#tooMany.add(socket);
      else {
        this.#open += 1;
        socket.once('close', () => (this.#open -= 1));
      }
    });
  }

  /** Of a request on a connection that came when there were enough; the connection is to be closed with the answer. */
  refusal({ socket }: IncomingMessage): { readonly status: number; readonly message: string } | undefined {
    if (!this.#tooMany.has(socket)) return undefined;
    return { status: 503, message: `there are ${this.#most} connections to this address already: close some, and try again` };
  }
}
