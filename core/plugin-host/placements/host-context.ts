import { isAbsolute, normalize } from 'node:path';
import { exhausted, forbidden, type HostContext, type Logger, type Manifest } from '@gantry/sdk';
import type { EventBus } from '../../events/index.ts';
import type { InstallTools } from '../../plugin-install/index.ts';
import { type Database, lookupFacts, stateStore } from '../../metadata/index.ts';

export interface HostParts {
  readonly database: Database;
  readonly events: EventBus;
  readonly log: Logger;
  readonly installTools: () => Pick<InstallTools, 'trees'>;
}
export interface HostFacts extends Pick<HostContext, 'config' | 'secrets' | 'dataDir' | 'runDir' | 'signal'> {
  readonly name: string;
  readonly manifest: Manifest;
  readonly onReport: HostContext['report'];
}

/** Of one plugin: an address driver under a hundred parallel starts stays far below, and it is a twentieth of what the store can do. */
const callsPerSecond = 2_000;

/** What a plugin may ask, answered from the records. What its manifest was not granted is refused by name. */
export function hostContext({ database, events, log, installTools }: HostParts, { manifest, onReport, ...facts }: HostFacts): HostContext {
  const granted = manifest.privileges?.host ?? [];
  const bucket = new TokenBucket(callsPerSecond);
  const state = stateStore(database, facts.name);
  const metered =
    <Given extends readonly unknown[], Answer>(call: (...given: Given) => Promise<Answer>) =>
    async (...given: Given): Promise<Answer> => {
      if (!bucket.take())
        throw exhausted(`plugin ${facts.name} asks the engine more than ${callsPerSecond} times a second`, { reason: 'RATE_LIMITED' });
      return call(...given);
    };
  return {
    ...facts,
    log: log.child({ plugin: facts.name }),
    state: {
      get: metered((key: string) => state.get(key)),
      put: metered((...given: Parameters<typeof state.put>) => state.put(...given)),
      list: metered((prefix: string) => state.list(prefix)),
    },
    lookup: metered(async (kind, id) => {
      const fields = granted
        .filter((grant) => grant === `lookup:${kind}` || grant.startsWith(`lookup:${kind}.`))
        .map((grant) => grant.split('.')[1]);
      if (fields.length === 0)
        throw forbidden(`plugin ${facts.name} may not look up a ${kind}`, {
          hint: `its manifest needs "lookup:${kind}" in privileges.host`,
        });
      const found = lookupFacts(database, kind, id);
      if (found === undefined || fields.includes(undefined)) return found;
      return Object.fromEntries(Object.entries(found).filter(([key]) => key === 'id' || fields.includes(key)));
    }),
    async *subscribe(topics, { signal }) {
      for (const topic of topics) {
        if (!granted.includes(`subscribe:${topic}`))
          throw forbidden(`plugin ${facts.name} may not subscribe to ${topic}`, {
            hint: `its manifest needs "subscribe:${topic}" in privileges.host`,
          });
      }
      for await (const event of events.subscribe({ filters: { type: [...topics] }, signal })) yield { ...event };
    },
    report: onReport,
    removeData: metered(async (path: string) => {
      await installTools().trees.run('remove', { root: facts.dataDir, path: belowData(path) });
    }),
  };
}

/** The worker that deletes it cannot leave the folder; this says so before anything is done. */
function belowData(path: string): string {
  const below = normalize(path);
  if (isAbsolute(path) || path.includes('\0') || below === '.' || below === './' || /^\.\.(\/|$)/.test(below))
    throw forbidden(`${JSON.stringify(path.slice(0, 200))} is not below the plugin's data folder`, { reason: 'PATH_LEAVES_DATA' });
  return below;
}

/** So many at once and per second. */
class TokenBucket {
  readonly #perSecond: number;
  #tokens: number;
  #at = performance.now();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
  }

  take(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((now - this.#at) / 1e3) * this.#perSecond);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
