import { codeOf } from '@gantry/sdk';
import type { Link } from '../placements/link.ts';
import type { PluginPolicy } from './policy.ts';
import type { PluginRecord } from '../record.ts';

const deadlineMs = 30_000;

/**
 * Asks a running plugin at once, and from time to time until disposed of, whether it works; `onResult` is told what does not, and at the end of
 * the trouble nothing. A plugin without a self-test is asked once. What runs in this process is not asked.
 */
export function watchSelfTest(
  link: Link,
  { placement, policy: { selfTestMs } }: { readonly placement: PluginRecord['placement']; readonly policy: PluginPolicy },
  onResult: (reasons: readonly string[]) => void,
): Disposable {
  if (placement === 'in-process') return { [Symbol.dispose]: () => {} };
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const test = async (): Promise<void> => {
    const reasons = await failuresOf(link);
    if (over.signal.aborted || reasons === undefined) return;
    onResult(reasons);
    timer = setTimeout(() => void test(), selfTestMs);
    timer.unref();
  };
  void test();
  return {
    [Symbol.dispose]: () => {
      over.abort();
      clearTimeout(timer);
    },
  };
}

/** One line for each check that failed; undefined when there are none to fail. That it does not answer, others see as well. */
async function failuresOf(link: Link): Promise<readonly string[] | undefined> {
  try {
    const checks = await link.selfTest(false, AbortSignal.timeout(deadlineMs));
    return checks.length === 0
      ? undefined
      : checks.filter(({ ok }) => !ok).map(({ name, message, hint }) => `${name}: ${message}${hint === '' ? '' : ` (${hint})`}`);
  } catch (error) {
    return codeOf(error) === 'not_implemented' ? undefined : [];
  }
}
