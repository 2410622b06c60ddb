import type { EndpointRecord } from '../documents.ts';
import { detach } from './attachments.ts';
import type { Tools } from '../tools.ts';
import type { NetworkedContainer } from '../types.ts';
import { wishedNetworks } from './wishes.ts';

/**
 * After the engine died while a running container was put on a network, or taken off one: neither was acknowledged, and half of it may be there. What is whole in the kernel is
 * recorded as wished; what is not is taken away, there and in the records.
 */
export async function finishConnecting(tools: Tools, container: NetworkedContainer): Promise<void> {
  const { books, users } = tools;
  const [half, whole] = partition(books.endpointsOf(container.id), isHalfMade);
  for (const record of half) await detach(tools, record, { netnsGone: false });
  const wished = wishedNetworks(container);
  const idOf = (name: string): string => books.byId(name)?.id ?? books.named(name)?.id ?? name;
  const on = new Set(whole.map(({ networkId }) => networkId));
  const kept = wished.filter(([name]) => on.has(idOf(name)));
  const known = new Set(kept.map(([name]) => idOf(name)));
  const come = whole
    .filter(({ networkId }) => !known.has(networkId))
    .map(({ networkId, document }) => [books.byId(networkId)?.name ?? networkId, document.config] as const);
  if (kept.length < wished.length || come.length > 0) await users().setNetworks(container.id, Object.fromEntries([...kept, ...come]));
}

/** CNI plugins have their interface's name before they make it. */
function isHalfMade({ document: { ifname, plan, cni } }: EndpointRecord): boolean {
  return plan === undefined || (ifname === '' ? plan.link.kind !== 'none' : cni !== undefined && cni.result === undefined);
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
