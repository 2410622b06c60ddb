import type { PluginCall } from '@gantry/sdk/client';
import { invalidArgument } from '@gantry/sdk/errors';
import { usageReason } from '../../command.ts';
import { show } from '../../parse/refuse.ts';

const hint = 'write KIND/DRIVER, e.g. volume/nfs';

/** "volume/nfs"; which kinds and drivers there are the engine knows. */
export function parseDriverName(text: string): { readonly kind: PluginCall['kind']; readonly driver: string } {
  const [, kind, driver] = /^([a-z]+)\/([^/\s]\S*)$/.exec(text) ?? [];
  if (kind === undefined || driver === undefined) throw invalidArgument(`${show(text)} is not a driver`, { hint, reason: usageReason });
  return { kind: kind as PluginCall['kind'], driver };
}
