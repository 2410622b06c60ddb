import type { Manifest } from '@gantry/sdk';
import type { Link } from './link.ts';
import type { PluginPolicy } from '../life/policy.ts';
import { resourcesOf } from './sizes.ts';

/**
 * Looks from time to time, until disposed of, at how much of its memory a plugin's process uses. `onFull` is told once, when it has been close to its limit for so long
 * that it will hardly come down by itself: what leaks is renewed in good time, and not killed by the kernel in the middle of a call.
 */
export function watchMemory(
  link: Link,
  { manifest, policy: { memory } }: { readonly manifest: Manifest; readonly policy: PluginPolicy },
  onFull: (reason: string) => void,
): Disposable {
  if (link.usage === undefined) return { [Symbol.dispose]: () => {} };
  const { memoryBytes: limit } = resourcesOf(manifest);
  let since: number | undefined;
  const timer = setInterval(() => {
    const { memoryBytes = 0 } = link.usage?.() ?? {};
    since = memoryBytes < limit * memory.share ? undefined : (since ?? Date.now());
    if (since === undefined || Date.now() - since < memory.forMs) return;
    clearInterval(timer);
    onFull(`it used ${mebibytes(memoryBytes)} of its ${mebibytes(limit)} for ${memory.forMs / 1e3} s`);
  }, memory.lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
