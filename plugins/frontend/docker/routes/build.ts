import { invalidArgument, messageOf, releasing } from '@gantry/sdk';
import type { BuildEvent, Progress } from '@gantry/sdk/engine';
import { buildContext, buildOptions } from '../bodies/build.ts';
import { withoutAbsent } from '../http/absent.ts';
import type { Call } from '../http/call.ts';
import type { HijackCall } from '../streams/hijack.ts';
import { BuildLines } from '../streams/build-lines.ts';
import { withProgress } from '../streams/progress.ts';
import { post, type Route } from './route.ts';

const noUpgrade = (): never => {
  throw invalidArgument('this path needs Upgrade: h2c');
};

export const buildRoutes: readonly Route[] = [
  post('/build', build),
  post('/build/prune', prune),
  post('/build/cancel', (call) => call.sendNothing(204)),
  post('/session', noUpgrade),
  post('/grpc', noUpgrade),
];

/** The connection becomes gRPC: BuildKit's Control, and its gateway. */
export async function serveGrpc({ h2c = noUpgrade() }: HijackCall): Promise<void> {
  const buildKit = await h2c.buildKit();
  buildKit.serve(h2c.accept());
}

/** The connection becomes gRPC with the roles turned round: the client answers. */
export async function openSession({ h2c = noUpgrade() }: HijackCall): Promise<void> {
  const [id = ''] = h2c.header('x-docker-expose-session-uuid');
  if (!/^[\w-]{1,128}$/.test(id)) throw invalidArgument('X-Docker-Expose-Session-Uuid is missing');
  const buildKit = await h2c.buildKit();
  buildKit.addSession(id, h2c.accept(), h2c.header('x-docker-expose-session-grpc-method'));
}

async function build(call: Call): Promise<void> {
  if (call.query.text('version') === '2')
    throw invalidArgument('builds by BuildKit go through POST /grpc; for the classic builder set DOCKER_BUILDKIT=0');
  const options = buildOptions(call);
  const isQuiet = call.query.flag('q');
  const work = async (report: (progress: Progress) => void): Promise<void> => {
    const quiet: string[] = [];
    const keep = ({ stream = '' }: Progress): void => {
      quiet.push(stream);
      if (quiet.length > mostQuietLines) quiet.shift();
    };
    const lines = new BuildLines(isQuiet ? keep : report);
    const onEvent = (event: BuildEvent): void => lines.take(event);
    try {
      const { id } = await call.engine.builds.build({
        ...options,
        context: buildContext(call, releasing(call.body())),
        onEvent,
        taken: () => drained(call.response),
        signal: call.signal,
      });
      if (isQuiet) report({ stream: `${id}\n` });
      else lines.finish(id);
    } catch (error) {
      lines.flush();
      // Whoever asked for quiet gets what was said only when it is needed.
      if (quiet.length > 0) throw invalidArgument(`${quiet.join('')}${messageOf(error)}`, { cause: error });
      throw error;
    }
  };
  await withProgress(call, work, { beginsAtOnce: true });
}

/** Of a build that is not shown, as much as is told when it fails. */
const mostQuietLines = 1_000;
const backlogBytes = 1024 * 1024;

/** Resolves when the client has taken most of what waits for it, or is gone. */
function drained(response: Call['response']): Promise<void> | undefined {
  if (response.destroyed || response.writableLength < backlogBytes) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

async function prune(call: Call): Promise<void> {
  const { query } = call;
  const limits = withoutAbsent({
    keepBytes: query.integer('reserved-space') ?? query.integer('keep-storage'),
    mostBytes: query.integer('max-used-space'),
    freeBytes: query.integer('min-free-space'),
  });
  const { deleted, spaceReclaimed } = await call.engine.builds.prune({
    filters: query.filters(),
    all: query.flag('all'),
    signal: call.signal,
    ...limits,
  });
  call.send({ CachesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: spaceReclaimed });
}
