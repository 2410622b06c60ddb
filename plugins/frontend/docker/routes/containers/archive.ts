import { invalidArgument } from '@gantry/sdk';
import type { PathStat } from '@gantry/sdk/engine';
import type { Call } from '../../http/call.ts';
import { get, head, put, type Route } from '../route.ts';

export const archiveRoutes: readonly Route[] = [
  head('/containers/:id/archive', async (call) => {
    const stat = await call.engine.containers.statPath(call.param('id'), pathOf(call));
    call.sendNothing(200, statHeader(stat));
  }),
  get('/containers/:id/archive', async (call) => {
    const { stat, tar } = await call.engine.containers.getArchive(call.param('id'), pathOf(call), { signal: call.signal });
    await call.stream('application/x-tar', statHeader(stat)).pipe(tar);
  }),
  put('/containers/:id/archive', async (call) => {
    await call.engine.containers.putArchive(call.param('id'), pathOf(call), call.body(), {
      noOverwriteDirNonDir: call.query.flag('noOverwriteDirNonDir'),
      copyUidGid: call.query.flag('copyUIDGID'),
      signal: call.signal,
    });
    call.sendNothing(200);
  }),
];

function pathOf({ query }: Call): string {
  const path = query.text('path');
  if (path === '') throw invalidArgument('bad parameter: path cannot be empty');
  return path;
}

function statHeader({ name, size, mode, mtime, linkTarget }: PathStat): readonly string[] {
  return ['X-Docker-Container-Path-Stat', Buffer.from(JSON.stringify({ name, size, mode, mtime, linkTarget })).toString('base64')];
}
