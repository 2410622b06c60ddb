import { setTimeout as sleep } from 'node:timers/promises';

/** What a program in memory is given; its answer is its exit code. */
export interface ProgramIo {
  readonly args: readonly string[];
  readonly stdin: MemoryInput;
  /** Waits while a reader does. */
  readonly print: (text: string | Buffer, source?: 'stdout' | 'stderr') => Promise<void>;
  readonly sleep: (ms: number) => Promise<void>;
  /** Called for a signal instead of ending; undefined: it ends the program again. SIGKILL ends it always. */
  readonly onSignal: (signal: number, handler: (() => void) | undefined) => void;
  /** A process of its own among those of the container. */
  readonly fork: (program: Program) => Promise<number>;
  /** Absent without a terminal. */
  readonly terminal?: MemoryTerminal;
}
export type Program = (io: ProgramIo) => Promise<number> | number;

export interface MemoryTerminal {
  rows: number;
  columns: number;
  /** "\n" goes out as "\r\n". */
  isCooked: boolean;
}

/** Bytes that come as somebody sends them. */
export class MemoryInput {
  #bytes = Buffer.alloc(0);
  #isAtEnd = false;
  #wake: (() => void)[] = [];

  push(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.#tell();
  }

  end(): void {
    this.#isAtEnd = true;
    this.#tell();
  }

  /** What there is; undefined at the end. */
  async read(): Promise<Buffer | undefined> {
    while (this.#bytes.length === 0 && !this.#isAtEnd) await this.#change();
    const bytes = this.#bytes;
    this.#bytes = Buffer.alloc(0);
    return bytes.length === 0 ? undefined : bytes;
  }

  /** Up to the next end of a line, without it; a terminal's Return ends one as well. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#bytes.findIndex((byte) => byte === 10 || byte === 13);
      if (end >= 0) {
        const line = this.#bytes.toString('utf8', 0, end);
        this.#bytes = this.#bytes.subarray(end + 1);
        return line;
      }
      if (this.#isAtEnd) return undefined;
      await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #tell(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

type Print = (bytes: Buffer, source: 'stdout' | 'stderr') => Promise<void>;

/** A program in memory under way, with the processes that it has forked. */
export class MemoryProcess {
  readonly pid: number;
  readonly stdin = new MemoryInput();
  readonly terminal: MemoryTerminal | undefined;
  /** Of the first of its processes. */
  readonly ended: Promise<number>;
  readonly #print: Print;
  readonly #ends = Promise.withResolvers<number>();
  readonly #running = new Set<Running>();
  #exitCode: number | undefined;
  #resume: PromiseWithResolvers<void> | undefined;

  constructor(pid: number, { terminal, print }: { readonly terminal: MemoryTerminal | undefined; readonly print: Print }) {
    this.pid = pid;
    this.terminal = terminal;
    this.#print = print;
    this.ended = this.#ends.promise;
  }

  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  get isPaused(): boolean {
    return this.#resume !== undefined;
  }

  /** How many of them live. */
  get size(): number {
    return this.#running.size;
  }

  /** Its end is that of all of them. */
  run(program: Program, args: readonly string[]): void {
    void this.#fork(program, args).then((exitCode) => this.#end(exitCode));
  }

  /** False when it has ended. A process that stands still is killed all the same. */
  signal(signal: number, { all = false }: { readonly all?: boolean } = {}): boolean {
    if (this.#exitCode !== undefined) return false;
    const [first] = this.#running;
    for (const running of all ? [...this.#running] : first === undefined ? [] : [first]) running.signal(signal);
    if (first === undefined) this.#end(128 + signal);
    if (signal === 9) this.pause(false);
    return true;
  }

  pause(wanted: boolean): void {
    if (wanted) this.#resume ??= Promise.withResolvers<void>();
    else {
      this.#resume?.resolve();
      this.#resume = undefined;
    }
  }

  async #fork(program: Program, args: readonly string[]): Promise<number> {
    const running = new Running();
    this.#running.add(running);
    const { terminal, stdin } = this;
    const io: ProgramIo = {
      args,
      stdin,
      print: async (text, source = 'stdout') => {
        await this.#resume?.promise;
        running.alive();
        await this.#print(cooked(Buffer.from(text), terminal), terminal === undefined ? source : 'stdout');
      },
      sleep: async (ms) => {
        await running.whileAlive(sleep(ms, undefined, { ref: false }));
        await this.#resume?.promise;
      },
      onSignal: (signal, handler) => running.handlers.set(signal, handler),
      fork: (inner) => this.#fork(inner, args),
      ...(terminal === undefined ? {} : { terminal }),
    };
    const exitCode = await running.whileAlive(Promise.try(program, io)).catch(() => running.killedBy);
    this.#running.delete(running);
    return exitCode;
  }

  #end(exitCode: number): void {
    if (this.#exitCode !== undefined) return;
    this.#exitCode = exitCode;
    for (const running of this.#running) running.signal(9);
    this.#ends.resolve(exitCode);
  }
}

/** One process of several. */
class Running {
  readonly handlers = new Map<number, (() => void) | undefined>();
  readonly #killed = Promise.withResolvers<never>();
  #killedBy: number | undefined;

  constructor() {
    this.#killed.promise.catch(() => undefined);
  }

  get killedBy(): number {
    return 128 + (this.#killedBy ?? 9);
  }

  signal(signal: number): void {
    const handler = signal === 9 ? undefined : this.handlers.get(signal);
    if (handler !== undefined) return handler();
    this.#killedBy ??= signal;
    this.#killed.reject(new Error(`killed by ${signal}`));
  }

  alive(): void {
    if (this.#killedBy !== undefined) throw new Error(`killed by ${this.#killedBy}`);
  }

  whileAlive<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#killed.promise]);
  }
}

function cooked(bytes: Buffer, terminal: MemoryTerminal | undefined): Buffer {
  return terminal?.isCooked === true ? Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1') : bytes;
}
