import { GantryError, invalidArgument } from '@gantry/sdk';
import { commandFailure } from '../../status.ts';
import { updateContainer } from '../../bodies/container.ts';
import { withoutAbsent } from '../../http/absent.ts';
import type { Call } from '../../http/call.ts';
import { post, remove, type Route } from '../route.ts';

export const lifecycleRoutes: readonly Route[] = [
  post('/containers/:id/start', start),
  post('/containers/:id/stop', async (call) => {
    await call.engine.containers.stop(call.param('id'), stopOptions(call));
    call.sendNothing(204);
  }),
  post('/containers/:id/restart', async (call) => {
    await call.engine.containers.restart(call.param('id'), stopOptions(call));
    call.sendNothing(204);
  }),
  post('/containers/:id/kill', kill),
  post('/containers/:id/pause', async (call) => {
    await call.engine.containers.pause(call.param('id'));
    call.sendNothing(204);
  }),
  post('/containers/:id/unpause', async (call) => {
    await call.engine.containers.unpause(call.param('id'));
    call.sendNothing(204);
  }),
  post('/containers/:id/rename', rename),
  post('/containers/:id/update', update),
  remove('/containers/:id', async (call) => {
    const { query } = call;
    await call.engine.containers.remove(call.param('id'), {
      force: query.flag('force'),
      volumes: query.flag('v'),
      link: query.flag('link'),
    });
    call.sendNothing(204);
  }),
  post('/containers/prune', async (call) => {
    const { deleted, spaceReclaimed } = await call.engine.containers.prune({ filters: call.query.filters() });
    call.send({ ContainersDeleted: deleted, SpaceReclaimed: spaceReclaimed });
  }),
];

async function start(call: Call): Promise<void> {
  if (call.hasBody && (await isDocument(call))) {
    throw invalidArgument('starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24');
  }
  try {
    await call.engine.containers.start(call.param('id'), withoutAbsent({ detachKeys: call.query.word('detachKeys'), signal: call.signal }));
  } catch (error) {
    throw commandFailure(error);
  }
  call.sendNothing(204);
}

/** Clients send "{}" or "null" where they mean nothing. */
async function isDocument(call: Call): Promise<boolean> {
  const document = await call.document();
  return typeof document === 'object' && document !== null && Object.keys(document).length > 0;
}

function stopOptions({ query }: Call) {
  return withoutAbsent({ timeoutSeconds: query.integer('t'), signal: query.word('signal') });
}

async function kill(call: Call): Promise<void> {
  const id = call.param('id');
  try {
    await call.engine.containers.kill(id, withoutAbsent({ signal: call.query.word('signal') }));
  } catch (error) {
    if (!GantryError.is(error) || error.message.startsWith('cannot kill container')) throw error;
    throw new GantryError(error.code, `cannot kill container: ${id}: ${error.message}`, {
      reason: error.reason,
      hint: error.hint,
      facts: error.facts,
      cause: error,
    });
  }
  call.sendNothing(204);
}

async function rename(call: Call): Promise<void> {
  const name = call.query.text('name');
  if (name === '') throw invalidArgument('Neither old nor new names may be empty');
  await call.engine.containers.rename(call.param('id'), name);
  call.sendNothing(204);
}

async function update(call: Call): Promise<void> {
  const { warnings } = await call.engine.containers.update(call.param('id'), await call.json(updateContainer));
  call.send({ Warnings: warnings });
}
