import { GantryError, invalidArgument, notFound } from '@gantry/sdk';
import type { PathStat } from '@gantry/sdk/engine';
import type { Call } from '../../http/call.ts';
import { get, head, put, type Route } from '../route.ts';

export const archiveRoutes: readonly Route[] = [
  head('/containers/:id/archive', async (call) => {
    const stat = await inContainer(call, call.engine.containers.statPath(call.param('id'), pathOf(call)));
    call.sendNothing(200, statHeader(stat));
  }),
  get('/containers/:id/archive', async (call) => {
    const opening = call.engine.containers.getArchive(call.param('id'), pathOf(call), { signal: call.signal });
    const { stat, tar } = await inContainer(call, opening);
    await call.stream('application/x-tar', statHeader(stat)).pipe(tar);
  }),
  put('/containers/:id/archive', async (call) => {
    const { query, signal } = call;
    const options = { noOverwriteDirNonDir: query.flag('noOverwriteDirNonDir'), copyUidGid: query.flag('copyUIDGID'), signal };
    await inContainer(call, call.engine.containers.putArchive(call.param('id'), pathOf(call), call.body(), options));
    call.sendNothing(200);
  }),
];

/** Docker says of a missing file in which container it was looked for. */
async function inContainer<T>(call: Call, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    const isOurs = GantryError.is(error) && error.message.startsWith('Could not find the file ');
    if (!isOurs || error.message.includes(' in container ')) throw error;
    throw notFound(`${error.message} in container ${call.param('id')}`, { cause: error });
  });
}

function pathOf({ query }: Call): string {
  const path = query.text('path');
  if (path === '') throw invalidArgument('bad parameter: path cannot be empty');
  return path;
}

function statHeader({ name, size, mode, mtime, linkTarget }: PathStat): readonly string[] {
  return ['X-Docker-Container-Path-Stat', Buffer.from(JSON.stringify({ name, size, mode, mtime, linkTarget })).toString('base64')];
}
