import { refuse } from './refuse.ts';

const powers = ['', 'k', 'm', 'g', 't', 'p'];

/** "64m", "1.5GiB", "1024" → bytes; units are powers of 1024, as everywhere in Docker. */
export function parseSize(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text) ?? [];
  if (digits === undefined) throw refuse(text, 'is not a size', 'write a number and a unit: 512k, 64m, 2g');
  const bytes = Math.floor(Number(digits) * 1024 ** powers.indexOf(unit.toLowerCase()));
  if (!Number.isSafeInteger(bytes)) throw refuse(text, 'is too large a size');
  return bytes;
}

/** As parseSize; -1 means without limit. */
export function parseSwapSize(text: string): number {
  return text === '-1' ? -1 : parseSize(text);
}
