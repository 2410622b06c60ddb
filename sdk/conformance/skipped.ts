import { firstCause, GantryError, notImplemented } from '../errors.ts';

const reason = 'CASE_SKIPPED';

/** To be thrown where it turns out in the middle of a case that it cannot be tried. */
export function skipped(why: string): GantryError {
  return notImplemented(why, { reason });
}

/** Why a case could not be tried; undefined: it failed. */
export function whySkipped(thrown: unknown): string | undefined {
  const error = firstCause(thrown);
  return GantryError.is(error) && error.reason === reason ? error.message : undefined;
}
