import { refuse } from './refuse.ts';

/** A parser of whole numbers within limits. */
export function parseInteger(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(number)) throw refuse(text, 'is not a whole number');
    if (number < min || number > max) {
      throw refuse(text, max === Number.MAX_SAFE_INTEGER ? `is less than ${min}` : `is not between ${min} and ${max}`);
    }
    return number;
  };
}

/** "1.5" processors → NanoCpus. */
export function parseCpus(text: string): number {
  if (!/^\d+(\.\d{1,9})?$/.test(text)) throw refuse(text, 'is not a number of processors', 'at most nine decimals: 0.5, 1.25, 2');
  const nano = Math.round(Number(text) * 1e9);
  if (!Number.isSafeInteger(nano)) throw refuse(text, 'is too many processors');
  return nano;
}
