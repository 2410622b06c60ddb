import type { Container, Engine } from '@gantry/sdk/engine';
import type { Call } from '../../http/call.ts';
import { withoutAbsent } from '../../http/absent.ts';
import { containerSummary, type SummaryOptions } from '../../shapes/container-summary.ts';
import { statusText } from '../../shapes/status.ts';
import { get, type Route } from '../route.ts';

export const listRoutes: readonly Route[] = [
  get('/containers/json', (call) => (call.query.flag('size') ? listWithSizes(call) : list(call))),
];

interface Cached {
  readonly revision: number;
  readonly second: number;
  readonly body: Buffer;
}
const maxCachedQueries = 64;

/**
 * What a list looks like depends on the containers, on the query, and by its "Up 5 minutes" on the second: between two changes and within
 * one second the bytes are the same. Image names may be a second late in it.
 */
const lists = new WeakMap<Engine, Map<string, Cached>>();

function list(call: Call): void {
  const { engine, query, version } = call;
  const { revision } = engine.containers;
  const nowMs = Date.now();
  const second = Math.floor(nowMs / 1e3);
  const key = `${version} ${query.text('all')} ${query.text('limit')} ${query.text('filters')}`;
  const cached = lists.get(engine)?.get(key);
  if (cached?.revision === revision && cached.second === second) return call.sendBytes(cached.body, 'application/json');
  const summaries = select(call).map((container) => fragment(container, { engine, version, nowMs }));
  const body = Buffer.from(`[${summaries.join(',')}]\n`);
  remember(engine, key, { revision, second, body });
  call.sendBytes(body, 'application/json');
}

function remember(engine: Engine, key: string, cached: Cached): void {
  const known = lists.get(engine) ?? new Map<string, Cached>();
  if (known.size >= maxCachedQueries) known.clear();
  lists.set(engine, known.set(key, cached));
}

async function listWithSizes(call: Call): Promise<void> {
  const { engine, version } = call;
  const found = await engine.containers.sizes(select(call));
  call.send(found.map(({ container, size }) => containerSummary(container, { engine, version, nowMs: Date.now(), size })));
}

function select({ engine, query }: Call): readonly Container[] {
  const limit = query.integer('limit');
  return engine.containers.list(
    withoutAbsent({ all: query.flag('all'), limit: limit !== undefined && limit > 0 ? limit : undefined, filters: query.filters() }),
  );
}

/** The JSON of a container as far as it was made before for the same status text. */
const fragments = new WeakMap<Container, { readonly key: string; readonly json: string }>();

function fragment(container: Container, options: SummaryOptions): string {
  const key = `${options.version} ${statusText(container, options.nowMs)}`;
  const known = fragments.get(container);
  if (known?.key === key) return known.json;
  const json = JSON.stringify(containerSummary(container, options));
  fragments.set(container, { key, json });
  return json;
}
