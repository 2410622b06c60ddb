import type { Link } from '../placements/link.ts';
import type { PluginPolicy } from './policy.ts';
import type { PluginRecord } from '../record.ts';

/** Asks for signs of life until disposed of; `onHang` is told of each that did not come. What runs in this process, or is not the engine's, is not asked. */
export function watchHealth(
  link: Link,
  { placement, policy: { healthMs, healthDeadlineMs } }: { readonly placement: PluginRecord['placement']; readonly policy: PluginPolicy },
  onHang: (reason: string) => void,
): Disposable {
  if (placement === 'in-process' || placement === 'external') return { [Symbol.dispose]: () => {} };
  const timer = setInterval(() => {
    link.ping(AbortSignal.timeout(healthDeadlineMs)).catch(() => onHang(`it gave no sign of life for ${healthDeadlineMs / 1e3} s`));
  }, healthMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
