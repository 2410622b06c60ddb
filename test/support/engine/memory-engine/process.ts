import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { GantryError } from '@gantry/sdk';
import type { Attached, OutputChunk } from '@gantry/sdk/engine';

interface Io {
  readonly args: readonly string[];
  readonly stdin: AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
  readonly print: (text: string | Buffer, source?: OutputChunk['source']) => void;
}
type Program = (io: Io) => Promise<number> | number;

/** The commands that containers of the memory engine know. */
const programs: Readonly<Record<string, Program>> = {
  true: () => 0,
  false: () => 1,
  echo: ({ args, print }) => {
    print(`${args.join(' ')}\n`);
    return 0;
  },
  complain: ({ args, print }) => {
    print(`${args.join(' ')}\n`, 'stderr');
    return 0;
  },
  cat: async ({ stdin, print }) => {
    for await (const chunk of stdin) print(chunk);
    return 0;
  },
  /** Says that it listens, then gives back what it is told. */
  shell: async ({ stdin, print }) => {
    print('ready\n');
    for await (const chunk of stdin) print(chunk);
    return 0;
  },
  /** The exit code that is its first argument. */
  exit: ({ args }) => Number(args[0]),
  lines: ({ args, print }) => {
    for (let line = 1; line <= Number(args[0]); line++) print(`line ${line}\n`);
    return 0;
  },
  sleep: async ({ args, signal }) => {
    await sleep(Number(args[0]) * 1e3, undefined, { signal, ref: false });
    return 0;
  },
  /** Prints the bytes that its argument counts, as they are taken. */
  flood: ({ args, print }) => {
    for (let left = Number(args[0]); left > 0; left -= 65_536) print(Buffer.alloc(Math.min(left, 65_536), 'x'));
    return 0;
  },
};

/** A process that is none: a program of the table above with streams, attachments and an exit code. */
export class MemoryProcess {
  readonly #stdin = new PassThrough();
  readonly #attachments = new Set<Attachment>();
  readonly #stopped = new AbortController();
  readonly #onOutput: (chunk: OutputChunk) => void;
  #killedBy: number | undefined;
  readonly tty: boolean;

  constructor({ tty, onOutput }: { readonly tty: boolean; readonly onOutput: (chunk: OutputChunk) => void }) {
    this.tty = tty;
    this.#onOutput = onOutput;
    this.#stdin.on('error', () => {});
  }

  /** Resolves to the exit code. Unknown programs are refused as a runtime refuses them. */
  async run([command = '', ...args]: readonly string[]): Promise<number> {
    const program = programs[command];
    if (program === undefined) {
      throw new GantryError('invalid_argument', `exec: "${command}": executable file not found in $PATH`, { reason: 'COMMAND_NOT_FOUND' });
    }
    const { signal } = this.#stopped;
    const io: Io = { args, stdin: this.#stdin, signal, print: (text, source = 'stdout') => this.#print(Buffer.from(text), source) };
    const killed = once(signal, 'abort').then(() => 128 + (this.#killedBy ?? 9));
    const code = await Promise.race([Promise.resolve().then(() => program(io)), killed]).catch(() => 128 + (this.#killedBy ?? 9));
    for (const attachment of this.#attachments) attachment.finish();
    this.#stdin.destroy();
    return code;
  }

  kill(signal: number): void {
    this.#killedBy ??= signal;
    this.#stopped.abort();
  }

  /** `stdinOnce`: the end of this attachment's input is the end of the process's. */
  attach(options: {
    readonly stdout: boolean;
    readonly stderr: boolean;
    readonly stdin: boolean;
    readonly signal?: AbortSignal | undefined;
  }): Attached {
    const attachment = new Attachment();
    const wanted = { stdout: options.stdout, stderr: options.stderr };
    attachment.accepts = (source) => wanted[source];
    this.#attachments.add(attachment);
    options.signal?.addEventListener('abort', () => attachment.finish());
    return {
      tty: this.tty,
      output: attachment.chunks(),
      write: async (data) => {
        if (this.tty && data.includes(defaultDetachKeys)) return attachment.finish();
        if (options.stdin && !this.#stdin.write(data)) await once(this.#stdin, 'drain');
      },
      // A terminal stays open when one who looks at it goes.
      end: async () => {
        if (!this.tty) this.#stdin.end();
      },
      [Symbol.asyncDispose]: async () => {
        attachment.finish();
        this.#attachments.delete(attachment);
      },
    };
  }

  #print(data: Buffer, source: OutputChunk['source']): void {
    const chunk: OutputChunk = { source: this.tty ? 'stdout' : source, data };
    this.#onOutput(chunk);
    for (const attachment of this.#attachments) attachment.push(chunk);
  }
}

/** ctrl-p ctrl-q, as a terminal sends them when they are typed at once. */
const defaultDetachKeys = '\u0010\u0011';

class Attachment {
  readonly #queue: OutputChunk[] = [];
  #ended = false;
  #wake = () => {};
  accepts: (source: OutputChunk['source']) => boolean = () => true;

  push(chunk: OutputChunk): void {
    if (this.accepts(chunk.source)) this.#queue.push(chunk);
    this.#wake();
  }

  finish(): void {
    this.#ended = true;
    this.#wake();
  }

  async *chunks(): AsyncIterable<OutputChunk> {
    for (;;) {
      const chunk = this.#queue.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
