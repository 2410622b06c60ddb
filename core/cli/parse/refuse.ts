import { type GantryError, invalidArgument } from '@gantry/sdk/errors';

/** A value that cannot be read: shown quoted and cut, so that one line stays one line. */
export function refuse(value: string, problem: string, hint?: string): GantryError {
  return invalidArgument(`${show(value)} ${problem}`, { hint });
}

export function show(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}
