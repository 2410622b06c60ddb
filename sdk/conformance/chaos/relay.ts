import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { invalidArgument, unavailable } from '../../errors.ts';

/** Passes bytes on from one unix socket to another, and breaks off when it is told to. */
export class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #callers = new Set<Socket>();
  #truncates = false;

  private constructor(server: Server, target: string) {
    this.#server = server;
    server.on('connection', (caller) => this.#join(caller, createConnection(target)));
  }

  /** Node cuts a path of more than 107 bytes silently, so it is refused here. */
  static async open(listen: string, target: string): Promise<Relay> {
    if (Buffer.byteLength(listen) > 107) throw invalidArgument(`socket path ${listen} has more than 107 bytes`);
    rmSync(listen, { force: true });
    const server = createServer();
    const relay = new Relay(server, target);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(unavailable(`cannot listen at ${listen}: ${error.message}`, { cause: error })));
      server.listen(listen, resolve);
    });
    chmodSync(listen, 0o600);
    return relay;
  }

  /** Ends every connection at once, whatever is on its way; new ones are taken. */
  cut(): void {
    for (const caller of this.#callers) caller.destroy();
  }

  /** The next frame on its way to a caller ends in its middle, and the connection with it. */
  truncate(): void {
    this.#truncates = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(caller: Socket, called: Socket): void {
    this.#callers.add(caller);
    for (const [from, to] of [
      [caller, called],
      [called, caller],
    ] as const) {
      from.on('error', () => {});
      from.on('close', () => to.destroy());
      from.on('end', () => to.end());
      from.on('data', (bytes: Buffer) => this.#pass(bytes, from, to));
      to.on('drain', () => from.resume());
    }
    caller.on('close', () => this.#callers.delete(caller));
  }

  #pass(bytes: Buffer, from: Socket, to: Socket): void {
    if (this.#truncates && this.#callers.has(to)) {
      this.#truncates = false;
      to.end(bytes.subarray(0, middleOf(bytes)), () => to.destroy());
      from.destroy();
    } else if (!to.write(bytes)) from.pause();
  }
}

/** HTTP/2 frames begin with 24 bits of length in a head of nine bytes (RFC 9113, section 4.1). */
function middleOf(bytes: Buffer): number {
  const payload = bytes.length < 3 ? 0 : bytes.readUIntBE(0, 3);
  return Math.max(1, Math.min(bytes.length - 1, payload === 0 ? 5 : 9 + Math.floor(payload / 2)));
}
