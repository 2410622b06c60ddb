import { fstatSync, readSync } from 'node:fs';

const blockBytes = 64 * 1024;
const newline = 10;

/** Where the last `count` lines of an open file begin, and how many there are when there are fewer. Reads backwards. */
export function lastLines(file: number, count: number): { readonly offset: number; readonly found: number } {
  const { size } = fstatSync(file);
  if (count === 0) return { offset: size, found: 0 };
  const block = Buffer.allocUnsafeSlow(Math.min(blockBytes, size));
  let found = 0;
  let isLastByte = true;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - block.length);
    const bytes = readSync(file, block, 0, end - start, start);
    let at = bytes;
    for (;;) {
      at = at === 0 ? -1 : block.lastIndexOf(newline, at - 1);
      if (at === -1) break;
      // The newline at the very end closes the last line; every other one closes the line before.
      if (!(isLastByte && start + at === size - 1)) {
        found += 1;
        if (found === count) return { offset: start + at + 1, found };
      }
      isLastByte = false;
    }
    end = start;
  }
  return { offset: 0, found: size === 0 ? 0 : found + 1 };
}
