import { linkSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** The file that the monitor writes. */
export const liveName = 'ctr.log';

/**
 * One container's spool: the files that the monitor wrote, by number, oldest first. The monitor replaces `ctr.log` by renaming a new file
 * over it, when the engine asks or at its own limit; so each gets a second name, its number, as soon as it is seen, and nothing is lost
 * when it is replaced. Numbers grow and are never used again within one cursor's life.
 */
export class Segments {
  readonly dir: string;
  #numbers: number[] = [];
  #liveInode = 0;
  #nextNumber: number;
  /** By segment the streams of which a line goes on in it that was begun before, as far as it is known. */
  readonly goingOn = new Map<number, ReadonlySet<'stdout' | 'stderr'>>();

  constructor(dir: string, firstNumber = 1) {
    this.dir = dir;
    this.#nextNumber = firstNumber;
    this.#numbers = numbered(dir);
    const newest = this.newest;
    if (newest !== undefined) {
      this.#nextNumber = Math.max(firstNumber, newest + 1);
      this.#liveInode = inodeOf(this.path(newest)) ?? 0;
    }
    this.refresh();
  }

  get newest(): number | undefined {
    return this.#numbers.at(-1);
  }

  get oldest(): number | undefined {
    return this.#numbers[0];
  }

  get nextNumber(): number {
    return this.#nextNumber;
  }

  path(segment: number): string {
    return join(this.dir, `${liveName}.${segment}`);
  }

  has(segment: number): boolean {
    return this.#numbers.includes(segment);
  }

  after(segment: number): number | undefined {
    return this.#numbers.find((number) => number > segment);
  }

  /** Gives a new `ctr.log` its number; answers whether there was one. Costs one stat. */
  refresh(): boolean {
    const live = join(this.dir, liveName);
    const inode = inodeOf(live);
    if (inode === undefined || inode === this.#liveInode) return false;
    const number = this.#nextNumber;
    linkSync(live, this.path(number));
    this.#liveInode = inodeOf(this.path(number)) ?? 0;
    this.#numbers.push(number);
    this.#nextNumber = number + 1;
    return true;
  }

  sizeOf(segment: number): number {
    return statSync(this.path(segment), { throwIfNoEntry: false })?.size ?? 0;
  }

  get totalBytes(): number {
    return this.#numbers.reduce((sum, number) => sum + this.sizeOf(number), 0);
  }

  remove(segment: number): void {
    rmSync(this.path(segment), { force: true });
    this.goingOn.delete(segment);
    this.#numbers = this.#numbers.filter((number) => number !== segment);
  }

  /** Everything, also what the monitor left of a replacement. Only when no monitor writes any more. */
  clear(): void {
    for (const name of namesIn(this.dir)) if (name.startsWith(liveName)) rmSync(join(this.dir, name), { force: true });
    this.#numbers = [];
    this.#liveInode = 0;
  }
}

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function numbered(dir: string): number[] {
  return namesIn(dir)
    .flatMap((name) => {
      const [, digits] = /^ctr\.log\.(\d{1,15})$/.exec(name) ?? [];
      return digits === undefined ? [] : [Number(digits)];
    })
    .toSorted((a, b) => a - b);
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
