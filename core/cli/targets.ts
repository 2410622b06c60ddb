import type { Context } from './context.ts';
import { report } from './report.ts';

const atOnce = 50;

/**
 * The same for every name, up to 50 at a time; what each resolves with is printed, in the order they were named.
 * A failure is reported and does not stop the others; the exit code is 1 when any failed.
 */
export async function forEachTarget(
  context: Context,
  names: readonly string[],
  action: (name: string) => Promise<string | undefined>,
): Promise<number> {
  let status = 0;
  for (let start = 0; start < names.length; start += atOnce) {
    const running = names.slice(start, start + atOnce).map(async (name) => await action(name));
    for (const outcome of await Promise.allSettled(running)) {
      if (outcome.status === 'rejected') status = Math.max(1, report(outcome.reason));
      else if (outcome.value !== undefined) context.print(outcome.value);
    }
  }
  return status;
}
