import type { NetworkBooks } from '../books.ts';
import type { EndpointDocument } from '../documents.ts';

/** Which network is a container's way out: the highest GwPriority, then the first by name, of those that anything can leave. */
export function gatewayOrder<Used extends { readonly networkId: string; readonly document: Pick<EndpointDocument, 'config'> }>(
  used: readonly Used[],
  books: NetworkBooks,
): readonly Used[] {
  const candidates = used.flatMap((one) => {
    const network = books.byId(one.networkId);
    if (network === undefined || network.document.plan.network.internal) return [];
    return [{ one, priority: one.document.config.GwPriority ?? 0, name: network.name }];
  });
  return candidates.toSorted((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1)).map(({ one }) => one);
}
