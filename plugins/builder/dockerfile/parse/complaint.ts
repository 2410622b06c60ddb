import { codeOf, GantryError, invalidArgument, messageOf } from '@gantry/sdk';

/** Where in which file an instruction stands. */
export interface Place {
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
  /** The instruction as it was understood, on one line. */
  readonly text: string;
}

const longestShown = 200;

/** What cannot be read: Docker's words, and then the place and the line. */
export function parseError(place: Place, problem: string): GantryError {
  return invalidArgument(`dockerfile parse error on line ${place.line}: ${problem}${shownPlace(place)}`, { reason: placed });
}

/** What went wrong with a step: its own words, and then the place and the line. Said once, whatever it passes through. */
export function stepError(place: Place, error: unknown): GantryError {
  if (GantryError.is(error) && (error.reason === placed || error.code === 'cancelled')) return error;
  const facts = GantryError.is(error) ? { hint: error.hint, facts: error.facts } : {};
  return new GantryError(codeOf(error), `${messageOf(error)}${shownPlace(place)}`, { ...facts, reason: placed, cause: error });
}

/** The mark of an error that tells its place. */
const placed = 'DOCKERFILE_PLACE';

function shownPlace({ file, line, text }: Place): string {
  const shown = text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
  return `\n  ${file}:${line} | ${shown.replaceAll('\n', '⏎')}`;
}
