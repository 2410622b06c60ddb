import { GantryError, messageOf } from '@gantry/sdk/errors';
import { shownReason, usageReason } from './command.ts';

/** Says what went wrong in one line, where in a file it is and what to do about it in others, and gives the exit code. */
export function report(error: unknown, program = 'gantry'): number {
  if (GantryError.is(error) && error.reason === shownReason) return 0;
  if (isBrokenPipe(error)) return 0;
  process.stderr.write(`${describe(error, program)}\n`);
  return GantryError.is(error) && error.reason === usageReason ? 125 : 1;
}

/**
 * "gantry: message", lines of a file below it, and "hint: …" when there is one; the stack of what is not an error of the catalogue with
 * GANTRY_DEBUG.
 */
export function describe(error: unknown, program = 'gantry'): string {
  const [said, places] = placesApart(messageOf(error));
  const line = [`${program}: ${oneLine(said)}`, ...places].join('\n');
  if (!GantryError.is(error)) {
    return process.env['GANTRY_DEBUG'] && error instanceof Error ? `${line}\n${error.stack ?? ''}` : line;
  }
  return error.hint === undefined ? line : `${line}\nhint: ${error.hint}`;
}

/** "  Dockerfile:2 | RUN make": the line of a file that a message is about, as errors of builds end with it. */
const place = /^ {2}\S[^|]*:\d+ \| /;

function placesApart(message: string): readonly [said: string, places: readonly string[]] {
  const lines = message.trimEnd().split('\n');
  return [lines.filter((line) => !place.test(line)).join('\n'), lines.filter((line) => place.test(line))];
}

function oneLine(message: string): string {
  return message.trim().replaceAll(/\s*\n\s*/g, ' ');
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
