import type { HostContext } from '@gantry/sdk';
import { type Database, stateStore } from '../../../core/metadata/index.ts';
import { quietLog } from '../machine/quiet-log.ts';

/** What a plugin is activated with, below one folder; without a database it has no state. */
export function hostContext({
  database,
  ...given
}: Partial<HostContext> & { readonly name: string; readonly dataDir: string; readonly database?: Database }): HostContext {
  return {
    config: {},
    secrets: {},
    runDir: given.dataDir,
    state: database === undefined ? noState : stateStore(database, given.name),
    log: quietLog,
    lookup: async () => undefined,
    subscribe: async function* () {},
    report: async () => {},
    signal: new AbortController().signal,
    ...given,
  };
}

const noState: HostContext['state'] = { get: async () => undefined, put: async () => {}, list: async () => [] };
