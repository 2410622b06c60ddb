import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeNetns } from '@gantry/sdk/linux';
import { shortId } from '../../support/index.ts';
import type { Sandboxes, SandboxTools } from '../endpoints/sandboxes.ts';

/** Takes away what an earlier process left of containers that do not run: by the books, then by our own marks in the kernel. */
export async function sweep(tools: SandboxTools, sandboxes: Sandboxes, runningIds: ReadonlySet<string>): Promise<void> {
  const isRunning = (id: string): boolean => runningIds.has(id) || sandboxes.live.has(id);
  for (const containerId of new Set(tools.books.endpoints.map((endpoint) => endpoint.containerId))) {
    if (!isRunning(containerId)) await sandboxes.teardown(containerId);
  }
  removeStrayNamespaces(tools, [...runningIds, ...sandboxes.live]);
  removeStrayLinks(tools);
}

function removeStrayNamespaces({ execRoot, log }: SandboxTools, runningIds: readonly string[]): void {
  const wanted = new Set(runningIds.map(shortId));
  for (const name of pinned(execRoot)) {
    if (wanted.has(name)) continue;
    log.warn({ netns: name }, 'removing a network namespace that no container has');
    removeNetns(join(execRoot, 'netns', name));
  }
}

function pinned(execRoot: string): readonly string[] {
  try {
    return readdirSync(join(execRoot, 'netns'));
  } catch {
    return [];
  }
}

/** Ours are those whose alias names a network or an endpoint of ours; another engine on this machine has other ids, and none of them is in our books. */
function removeStrayLinks({ books, executor, log }: SandboxTools): void {
  const known = new Set([...books.networks.map(({ id }) => id), ...books.endpoints.map(({ document }) => document.endpointId)]);
  const bridges = new Set(books.networks.flatMap(({ document }) => document.plan.links.map(({ name }) => name)));
  const links = executor.links.kernel.linkList();
  const ours = new Set(links.filter(({ name }) => bridges.has(name)).map(({ index }) => index));
  for (const { name, alias, kind, master } of links) {
    if (alias?.startsWith('gantry:') !== true || known.has(alias.slice('gantry:'.length))) continue;
    if (kind !== 'veth' || master === undefined || !ours.has(master)) continue;
    log.warn({ link: name }, 'removing a network link that no container has');
    executor.links.kernel.linkDelete(name);
  }
}
