import type { Change } from '@gantry/sdk/engine';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { containerDocument } from '../../shapes/container-document.ts';
import { get, type Route } from '../route.ts';

export const inspectRoutes: readonly Route[] = [
  get('/containers/:id/json', inspect),
  get('/containers/:id/top', async (call) => {
    const { titles, processes } = await call.engine.containers.top(call.param('id'), call.query.word('ps_args'));
    call.send({ Titles: titles, Processes: processes });
  }),
  get('/containers/:id/changes', async (call) => {
    const changes = await call.engine.containers.changes(call.param('id'));
    call.send(changes.map(({ path, kind }) => ({ Path: path, Kind: changeKinds[kind] })));
  }),
  get('/containers/:id/export', async (call) => {
    const tar = await call.engine.containers.export(call.param('id'), { signal: call.signal });
    await call.stream('application/octet-stream').pipe(tar);
  }),
];

const changeKinds = { modified: 0, added: 1, deleted: 2 } as const satisfies Record<Change['kind'], number>;

async function inspect(call: Call): Promise<void> {
  const { engine, query, version } = call;
  const container = engine.containers.inspect(call.param('id'));
  const size = query.flag('size') ? await engine.containers.size(container.id) : undefined;
  call.send(containerDocument(container, withoutAbsent({ version, size })));
}
