import type { SeqpacketListener, SeqpacketSocket } from '../linux/index.ts';

const marks = { stdout: 2, stderr: 3 } as const;
/** A packet of 8 KiB has its mark as well. */
const chunkBytes = 8_191;

/** The attach socket of a process in memory. */
export class MemoryStreams {
  readonly path: string;
  onInput: (bytes: Buffer) => void = () => {};
  /** A client's input has ended. */
  onEnd: () => void = () => {};
  readonly #clients = new Set<SeqpacketSocket>();
  #listener: SeqpacketListener | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /** The calls of the kernel are loaded only when somebody needs them. */
  static async open(path: string): Promise<MemoryStreams> {
    const { SeqpacketListener: Listener } = await import('../linux/index.ts');
    const streams = new MemoryStreams(path);
    streams.#listener = new Listener(path, (socket) => void streams.#serve(socket));
    return streams;
  }

  acceptWaiting(): void {
    this.#listener?.acceptWaiting();
  }

  /** Waits for the slowest of those who listen. */
  async print(bytes: Buffer, source: keyof typeof marks): Promise<void> {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const packet = Buffer.concat([Buffer.from([marks[source]]), bytes.subarray(at, at + chunkBytes)]);
      await Promise.all([...this.#clients].map((client) => client.write(packet).catch(() => this.#drop(client))));
    }
  }

  /** After what was printed everybody is told that no more comes. */
  async finish(): Promise<void> {
    this.acceptWaiting();
    this.#listener?.[Symbol.dispose]();
    await Promise.all([...this.#clients].map((client) => client.shutdownWrite().catch(() => undefined)));
    this.close();
  }

  close(): void {
    this.#listener?.[Symbol.dispose]();
    for (const client of this.#clients) this.#drop(client);
  }

  async #serve(client: SeqpacketSocket): Promise<void> {
    client.unref();
    this.#clients.add(client);
    try {
      for await (const packet of client.packets()) this.onInput(packet);
      if (this.#clients.has(client)) this.onEnd();
    } catch {
      this.#drop(client);
    }
  }

  #drop(client: SeqpacketSocket): void {
    this.#clients.delete(client);
    client.close();
  }
}
