import { codeOf, GantryError, invalidArgument, messageOf } from '@gantry/sdk';

/** Where in which file an instruction stands. */
export interface Place {
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
  /** Of its last line, when it has several. */
  readonly lastLine?: number;
  /** The instruction as it was understood, on one line. */
  readonly text: string;
}

const longestShown = 200;

/** What cannot be read: Docker's words, and then the place and the line. */
export function parseError(place: Place, problem: string): GantryError {
  const said = `dockerfile parse error on line ${place.line}: ${problem}`;
  return invalidArgument(`${said}${shownPlace(place)}`, { reason: placed, facts: { place: factsOf(place, said) } });
}

/** What went wrong with a step: its own words, and then the place and the line. Said once, whatever it passes through. */
export function stepError(place: Place, error: unknown): GantryError {
  if (GantryError.is(error) && (error.reason === placed || error.code === 'cancelled')) return error;
  const { hint, facts } = GantryError.is(error) ? error : { hint: undefined, facts: {} };
  const told = { ...facts, place: factsOf(place, messageOf(error)) };
  return new GantryError(codeOf(error), `${messageOf(error)}${shownPlace(place)}`, { hint, facts: told, reason: placed, cause: error });
}

/** The same error, which also has the file's text, for those who show the lines around the place. */
export function withText(error: unknown, text: Buffer): unknown {
  if (!GantryError.is(error) || error.reason !== placed) return error;
  const { code, message, hint, reason, facts, retryAfterMs } = error;
  const place = { ...(facts['place'] as object), text: text.toString() };
  return new GantryError(code, message, { hint, reason, retryAfterMs, facts: { ...facts, place }, cause: error });
}

/** The mark of an error that tells its place. */
const placed = 'DOCKERFILE_PLACE';

/** What `failurePlace` of the SDK reads, but for the text. */
function factsOf({ file, line, lastLine = line }: Place, problem: string): object {
  return { file, firstLine: line, lastLine, problem };
}

function shownPlace({ file, line, text }: Place): string {
  const shown = text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
  return `\n  ${file}:${line} | ${shown.replaceAll('\n', '⏎')}`;
}
