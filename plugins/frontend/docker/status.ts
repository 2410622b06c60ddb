import { codeOf, type ErrorCode, firstCause, GantryError, messageOf } from '@gantry/sdk';

const statuses = {
  invalid_argument: 400,
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  not_modified: 304,
  aborted: 409,
  exhausted: 500,
  forbidden: 403,
  unauthorized: 401,
  not_implemented: 501,
  unavailable: 503,
  deadline_exceeded: 500,
  cancelled: 499,
  internal: 500,
  data_loss: 500,
} as const satisfies Record<ErrorCode, number>;

/** The reason of an `invalid_argument` that HTTP has a status of its own for. */
export const bodyTooLarge = 'BODY_TOO_LARGE';

/** The HTTP status of any thrown value. */
export function statusOf(thrown: unknown): number {
  const error = firstCause(thrown);
  if (GantryError.is(error) && error.reason === bodyTooLarge) return 413;
  return statuses[codeOf(error)];
}

/** What clients are shown: the message, and the hint behind it. */
export function textOf(thrown: unknown): string {
  const error = firstCause(thrown);
  const hint = GantryError.is(error) ? error.hint : undefined;
  if (hint === undefined) return messageOf(error);
  // Lines below the first show where it was.
  const [what, ...where] = messageOf(error).split('\n');
  return [`${what}: ${hint}`, ...where].join('\n');
}

/** The docker CLI tells 127 from 126 by these words in the text of a failed start. */
const wordsOfCommandFailures: Readonly<Record<string, readonly [string, ...string[]]>> = {
  COMMAND_NOT_FOUND: ['executable file not found in $PATH', 'no such file or directory'],
  COMMAND_NOT_EXECUTABLE: ['permission denied'],
};

/** The same error with the words that the docker CLI looks for. */
export function commandFailure(thrown: unknown): unknown {
  const error = firstCause(thrown);
  if (!GantryError.is(error)) return error;
  const words = wordsOfCommandFailures[error.reason ?? ''];
  if (words === undefined || words.some((word) => error.message.includes(word))) return error;
  return new GantryError(error.code, `${error.message}: ${words[0]}`, {
    hint: error.hint,
    reason: error.reason,
    facts: error.facts,
    cause: error,
  });
}
