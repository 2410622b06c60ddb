import { GantryError } from '../errors.ts';

/** Where in a file of instructions a build failed. */
export interface FailurePlace {
  readonly file: string;
  /** What the whole file says; '' when that is not known. */
  readonly text: string;
  /** From 1 on. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** What went wrong, without the place. */
  readonly problem: string;
}

/** What the error of a build says of its place (a builder gives it as the fact "place"); undefined when it says nothing of one. */
export function failurePlace(error: unknown): FailurePlace | undefined {
  const place = GantryError.is(error) ? error.facts['place'] : undefined;
  if (typeof place !== 'object' || place === null) return undefined;
  const { file, text = '', firstLine, lastLine, problem } = place as Readonly<Record<string, unknown>>;
  if (typeof file !== 'string' || typeof text !== 'string' || typeof problem !== 'string') return undefined;
  return isLine(firstLine) && isLine(lastLine) ? { file, text, firstLine, lastLine, problem } : undefined;
}

function isLine(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
