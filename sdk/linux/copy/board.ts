import { cancelled } from '../../errors.ts';

/** What the threads that copy one tree share. All walk the whole tree in the same order; who does what is settled here, by counting. */
export interface Board {
  /** How many threads there are. */
  readonly shares: number;
  /** Whether to stop, and how many bunches of files are taken. */
  readonly counts: SharedArrayBuffer;
  /** By the number of a folder: how many threads are done with it and all below it. Grows. */
  readonly done: SharedArrayBuffer;
}

export function newBoard(shares: number): Board {
  return { shares, counts: new SharedArrayBuffer(8), done: new SharedArrayBuffer(growthBytes, { maxByteLength: 1 << 26 }) };
}

export function stop({ counts }: Board): void {
  Atomics.store(new Int32Array(counts), cells.stop, 1);
}

/** One thread's part in it. */
export class Part {
  readonly #shares: number;
  readonly #counts: Int32Array;
  readonly #buffer: SharedArrayBuffer;
  readonly #done: Uint8Array;
  #met = 0;
  #folders = 0;
  #isMine = false;

  constructor({ shares, counts, done }: Board) {
    this.#shares = shares;
    this.#counts = new Int32Array(counts);
    this.#buffer = done;
    this.#done = new Uint8Array(done);
  }

  /** To be called now and then: throws when the copy is not wanted any more. */
  readonly check = (): void => {
    if (Atomics.load(this.#counts, cells.stop) === 1) throw cancelled('stopped');
  };

  /** To be asked at each entry that is no folder, in the order of the walk: a bunch of them is whose it is who comes to it first. */
  isMine(): boolean {
    const entry = this.#met;
    this.#met += 1;
    if (entry % bunch !== 0) return this.#isMine;
    this.check();
    const number = entry / bunch;
    this.#isMine = Atomics.compareExchange(this.#counts, cells.taken, number, number + 1) === number;
    return this.#isMine;
  }

  /** The number of the next folder of the walk. */
  enter(): number {
    this.#folders += 1;
    return this.#folders - 1;
  }

  /** Whether all others are done with this folder, and it gets no more entries. */
  isLastIn(folder: number): boolean {
    while (folder >= this.#buffer.byteLength) this.#grow(folder);
    return Atomics.add(this.#done, folder, 1) === this.#shares - 1;
  }

  #grow(folder: number): void {
    try {
      this.#buffer.grow((Math.floor(folder / growthBytes) + 1) * growthBytes);
    } catch (error) {
      // Another thread was faster, and went further.
      if (folder >= this.#buffer.byteLength) throw error;
    }
  }
}

const cells = { stop: 0, taken: 1 } as const;
const bunch = 16;
const growthBytes = 65_536;
