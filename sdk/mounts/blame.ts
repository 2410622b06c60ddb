import { firstCause, GantryError, internal } from '../errors.ts';
import { isErrno } from '../linux/index.ts';
import type { MountGrants } from './types.ts';

/** An error of carrying out what a plugin described, naming the plugin; told to who counts when the description itself was wrong. */
export function blamed(thrown: unknown, { plugin, onViolation }: Pick<MountGrants, 'plugin' | 'onViolation'>): unknown {
  const error = firstCause(thrown);
  if (!GantryError.is(error)) return thrown;
  if (isWrong(error)) onViolation?.(error.message);
  const { code, message, reason, facts, cause } = error;
  const text = message.includes(`plugin ${plugin}`) ? message : `plugin ${plugin}: ${message}`;
  const hint = error.hint ?? (isErrno(cause, ...kernelSaysMore) ? 'the kernel may say more: dmesg' : undefined);
  return new GantryError(code, text, { hint, reason, facts, cause });
}

/** Refusals of mount(2) whose reason is in the kernel's log alone. */
const kernelSaysMore = ['EINVAL', 'EIO', 'EUCLEAN', 'ENODEV', 'ENXIO', 'ESTALE'] as const;

/** What a plugin answered is none of what its contract allows. */
export function invalidPlan(plugin: string, method: string, problem: string): GantryError {
  return internal(`plugin ${plugin} returned an invalid answer for ${method}: ${problem}`, { reason: invalidPlanReason });
}

/** Runs a check of an answer: what it refuses is the plugin's fault. */
export function blaming<Checked>(grants: Pick<MountGrants, 'plugin' | 'onViolation'>, check: () => Checked): Checked {
  try {
    return check();
  } catch (error) {
    throw blamed(error, grants);
  }
}

const invalidPlanReason = 'INVALID_PLAN';

/** What is not there, or busy, or full, may be nobody's fault. A path that leads out of its root is (openat2: EXDEV, ELOOP). */
function isWrong({ code, reason, cause }: GantryError): boolean {
  if (reason === invalidPlanReason) return true;
  if (cause !== undefined) return isErrno(cause, 'EXDEV', 'ELOOP');
  return code === 'forbidden' || code === 'invalid_argument';
}
