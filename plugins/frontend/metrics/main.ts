import { definePlugin } from '@gantry/sdk';
import type { ServeRequest, Serving } from '@gantry/sdk/frontend';

const scheme = 'metrics://';

/** Nothing is loaded unless somebody wants the numbers. */
async function serve({ engine, hosts }: ServeRequest): Promise<Serving> {
  const ours = hosts.filter((host) => host.startsWith(scheme));
  if (ours.length === 0) return { addresses: [], idleMs: () => Number.POSITIVE_INFINITY, async [Symbol.asyncDispose]() {} };
  const { serveNumbers } = await import('./serve.ts');
  return serveNumbers(engine, ours);
}

export default definePlugin({
  activate: () => Promise.resolve({ drivers: { frontend: { metrics: { serve } } } }),
});
