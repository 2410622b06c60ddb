import type { DriverKind, Ref, RefState } from '../plugin.ts';
import type { OpenedPlugin } from './opened-plugin.ts';

interface Where {
  readonly plugin: Pick<OpenedPlugin, 'activation'>;
  readonly kind: DriverKind;
  readonly driver: string;
}

/** What the smallest use of a driver makes, where the engine believes in it by name. */
export const refKinds: { readonly [Kind in DriverKind]?: Ref['kind'] } = { volume: 'volume', graph: 'snapshot' };

export function refOf({ kind, driver }: Omit<Where, 'plugin'>, id: string): Ref {
  return { contract: kind, driver, kind: refKinds[kind] ?? 'volume', id };
}

/** How the plugin says these are, and what else it has; undefined when it does not compare. */
export async function refStates({ plugin: { activation }, ...of }: Where, ids: Iterable<string>): Promise<readonly RefState[] | undefined> {
  if (activation.reconcile === undefined || refKinds[of.kind] === undefined) return undefined;
  async function* given(): AsyncGenerator<Ref> {
    for (const id of ids) yield refOf(of, id);
  }
  return await Array.fromAsync(activation.reconcile(given()));
}
