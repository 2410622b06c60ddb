/** What one plugin may print in a second; the rest is counted. */
const mostLines = 1000;
const mostBytes = 1 << 20;
const windowMs = 1000;

/** Counts in windows of a second, and tells once per window what was too much. */
export class RateLimit implements Disposable {
  readonly #tell: (text: string) => void;
  #began = -Infinity;
  #lines = 0;
  #bytes = 0;
  #droppedLines = 0;
  #droppedBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  get isSpent(): boolean {
    if (performance.now() - this.#began >= windowMs) this.#roll();
    return this.#lines >= mostLines || this.#bytes >= mostBytes;
  }

  took(bytes: number): void {
    this.#lines += 1;
    this.#bytes += bytes;
  }

  dropped(lines: number, bytes: number): void {
    this.#droppedLines += lines;
    this.#droppedBytes += bytes;
    this.#timer ??= setTimeout(() => this.#roll(), Math.max(0, this.#began + windowMs - performance.now())).unref();
  }

  /** Tells what it has counted. */
  [Symbol.dispose](): void {
    this.#roll();
  }

  #roll(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [lines, bytes] = [this.#droppedLines, this.#droppedBytes];
    this.#began = performance.now();
    this.#lines = this.#bytes = this.#droppedLines = this.#droppedBytes = 0;
    if (lines + bytes > 0)
      this.#tell(`dropped ${lines} lines (${bytes} bytes) of output: more than ${mostLines} lines or ${mostBytes} bytes in a second`);
  }
}
