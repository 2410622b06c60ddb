import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

const relay = join(import.meta.dirname, 'terminal.py');
const patienceMs = 20_000;

/** A command on a terminal of its own, typed at and read by a test. */
export class Pty implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly exit: Promise<number>;
  #output = '';
  #seen = 0;
  #wake = () => {};

  constructor(
    [command = '', ...given]: readonly string[],
    {
      env = {},
      rows = 24,
      columns = 80,
    }: { readonly env?: Readonly<Record<string, string>>; readonly rows?: number; readonly columns?: number } = {},
  ) {
    this.#child = spawn('python3', [relay, String(rows), String(columns), command, ...given], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    });
    this.#child.stdout?.on('data', (data: Buffer) => {
      this.#output += data.toString();
      this.#wake();
    });
    this.exit = once(this.#child, 'exit').then(([code]) => {
      this.#wake();
      return code as number;
    });
    this.#child.stdin?.on('error', () => {});
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  resize(rows: number, columns: number): void {
    (this.#child.stdio[3] as Writable).write(`${rows} ${columns}\n`);
  }

  /** Resolves when `pattern` was printed after what earlier calls waited for; rejects with all output when it does not come. */
  async expect(pattern: RegExp): Promise<string> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const found = pattern.exec(this.#output.slice(this.#seen));
      if (found !== null) {
        this.#seen += found.index + found[0].length;
        return found[0];
      }
      if (Date.now() > deadline || this.#child.exitCode !== null) {
        throw new Error(`${pattern} did not come; the terminal shows ${JSON.stringify(this.#output)}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 500);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
    await this.exit;
  }
}
