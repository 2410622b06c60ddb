import { GantryError } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';
import type { Grants } from '../drivers/types.ts';

/** An error of carrying out what a plugin described, naming the plugin; told to who counts when the description itself was wrong. */
export function blamed(error: unknown, { plugin, onViolation }: Pick<Grants, 'plugin' | 'onViolation'>): unknown {
  if (!GantryError.is(error)) return error;
  if (isWrong(error)) onViolation?.(error.message);
  const { code, message, hint, reason, facts, cause } = error;
  if (message.includes(`plugin ${plugin}`)) return error;
  return new GantryError(code, `plugin ${plugin}: ${message}`, { hint, reason, facts, cause });
}

/** What is not there, or busy, or full, may be nobody's fault. A path that leads out of its root is (openat2: EXDEV, ELOOP). */
function isWrong({ code, cause }: GantryError): boolean {
  if (cause !== undefined) return isErrno(cause, 'EXDEV', 'ELOOP');
  return code === 'forbidden' || code === 'invalid_argument';
}
