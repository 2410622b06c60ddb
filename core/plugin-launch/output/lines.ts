import type { RateLimit } from './rate-limit.ts';

const longestBytes = 16 << 10;
const newline = 10;

/** Cuts one stream of bytes into lines: those over 16 KiB are cut and marked, what is no UTF-8 is replaced, and what the limit refuses is only counted. */
export class Lines {
  readonly #limit: RateLimit;
  readonly #onLine: (line: string) => void;
  #parts: Buffer[] = [];
  #keptBytes = 0;
  #cutBytes = 0;
  /** The rest of the present line goes after its beginning. */
  #isDropping = false;

  constructor(limit: RateLimit, onLine: (line: string) => void) {
    this.#limit = limit;
    this.#onLine = onLine;
  }

  /** The chunk is the caller's again afterwards. */
  push(chunk: Buffer): void {
    for (let start = 0; start < chunk.length; ) {
      if (this.#limit.isSpent) return this.#drop(chunk.subarray(start));
      const end = chunk.indexOf(newline, start);
      this.#keep(chunk.subarray(start, end < 0 ? chunk.length : end));
      if (end < 0) return;
      this.#finish();
      start = end + 1;
    }
  }

  /** The last line may have no end. */
  end(): void {
    if (this.#keptBytes > 0) this.#finish();
  }

  #keep(part: Buffer): void {
    if (this.#isDropping) return this.#limit.dropped(0, part.length);
    const room = longestBytes - this.#keptBytes;
    // A copy: the caller reads into the same buffer again.
    if (room > 0 && part.length > 0) this.#parts.push(Buffer.from(part.subarray(0, room)));
    this.#keptBytes += Math.min(room, part.length);
    this.#cutBytes += Math.max(0, part.length - room);
  }

  #finish(): void {
    const [bytes, cutBytes, isDropping] = [Buffer.concat(this.#parts), this.#cutBytes, this.#isDropping];
    this.#reset(false);
    if (isDropping) return this.#limit.dropped(0, 1);
    this.#limit.took(bytes.length + 1);
    const text = bytes.toString('utf8');
    this.#onLine(cutBytes > 0 ? `${text.replace(/\uFFFD+$/, '')}… (${cutBytes} bytes cut)` : text.replace(/\r$/, ''));
  }

  /** Looks for ends of lines only: a flood of short ones costs 30 µs per 64 KiB, where one by one they cost 3 ms. */
  #drop(rest: Buffer): void {
    let lines = 0;
    for (let at = 0; at < rest.length; at++) if (rest[at] === newline) lines += 1;
    const isOpen = rest[rest.length - 1] !== newline;
    const began = this.#isDropping ? 0 : this.#keptBytes;
    // A line counts where it begins to be dropped.
    const alreadyCounted = this.#isDropping ? 1 : 0;
    this.#limit.dropped(lines + (isOpen ? 1 : 0) - alreadyCounted, rest.length + began);
    this.#reset(isOpen);
  }

  #reset(isDropping: boolean): void {
    this.#parts = [];
    this.#keptBytes = this.#cutBytes = 0;
    this.#isDropping = isDropping;
  }
}
