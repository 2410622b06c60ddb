import { chownSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { Drivers } from '../plugin.ts';
import { connectGrpc, connectPlugin, Dispatcher, hostServiceOf, serveGrpc } from '../rpc/index.ts';
import { manifestIn } from '../serve/load.ts';
import { MemoryHost } from '../testing/index.ts';
import type { Ctx } from '../types/index.ts';
import type { OpenPlugin } from './opened-plugin.ts';
import { skipped } from './skipped.ts';

export interface SocketFacts {
  /** "unix:///path" */
  readonly endpoint: string;
  /** What the plugin was started with. */
  readonly token: string;
}

/**
 * Opens a plugin that somebody else runs, in whatever language and under whatever debugger: all cases meet the same process, over one state and one data folder. What one
 * left is removed before the next. Cases that start it again, end it or look into its process are skipped.
 */
export function atSocket({ endpoint, token }: SocketFacts): { readonly open: OpenPlugin } & AsyncDisposable {
  const path = /^unix:\/\/(\/[^\0]+)$/.exec(endpoint)?.[1];
  if (path === undefined) throw invalidArgument(`${endpoint} is no address of a plugin`, { hint: 'unix:///absolute/path' });
  const owned = new AsyncDisposableStack();
  let shared: Promise<Surroundings> | undefined;
  return {
    async open(dir, { placement, trace, ...options }) {
      if (placement !== 'process' || trace !== undefined) throw skipped('somebody else runs it, and in one place');
      const manifest = manifestIn(dir);
      shared ??= surround(manifest, { options, socket: path, owned });
      const { memory, hostEndpoint } = await shared;
      const ending = new AbortController();
      const context = memory.context(ending.signal);
      const { dataDir, runDir } = context;
      await using undo = new AsyncDisposableStack();
      undo.defer(() => ending.abort());
      const wire = await connectGrpc(endpoint);
      undo.defer(() => wire.close());
      const surroundings = { hostEndpoint, dataDir, runDir };
      const { service, drivers, activation } = await connectPlugin(wire, {
        manifest,
        token,
        instance: 'conformance.1',
        context,
        surroundings,
      });
      const ctx = { signal: AbortSignal.timeout(30_000), operationId: 'tidy', log: context.log };
      // A case before may have drained it; where there is no draining, there is nothing to resume.
      await service.resume({}, ctx).catch(() => {});
      await tidy(drivers, ctx);
      const whole = undo.move();
      return {
        manifest,
        configured: context,
        state: memory.state,
        drivers,
        activation,
        // As of a plugin in this process: there is none that a case may kill.
        pid: process.pid,
        wire: { wire, service, token },
        dataDir,
        log: memory.log,
        restart: async () => {
          throw skipped('somebody else runs it, so that it is not started again');
        },
        [Symbol.asyncDispose]: () => whole.disposeAsync(),
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Surroundings {
  readonly memory: MemoryHost;
  readonly hostEndpoint: string;
}

/** Where the plugin, whose user may be another, reaches its engine, and its folders. */
async function surround(
  manifest: Manifest,
  {
    options,
    socket,
    owned,
  }: { readonly options: ConstructorParameters<typeof MemoryHost>[1]; readonly socket: string; readonly owned: AsyncDisposableStack },
): Promise<Surroundings> {
  const memory = owned.use(new MemoryHost(manifest, options));
  const context = memory.context(new AbortController().signal);
  const service = hostServiceOf(context);
  const folder = join(context.runDir, 'engine');
  mkdirSync(folder, { mode: 0o700 });
  const hostSocket = join(folder, 'h.sock');
  const dispatcher = new Dispatcher({ find: (name) => (name === 'host' ? service : undefined), ctx: (facts) => facts });
  owned.use(await serveGrpc(hostSocket, ['host'], dispatcher));
  if (process.getuid?.() === 0) {
    const { uid, gid } = statSync(socket);
    for (const path of [join(context.dataDir, '..'), context.dataDir, context.runDir, folder, hostSocket]) chownSync(path, uid, gid);
  }
  return { memory, hostEndpoint: `unix://${hostSocket}` };
}

/** What a case before left behind. */
async function tidy({ volume = {}, graph = {} }: Drivers, ctx: Ctx): Promise<void> {
  for (const driver of Object.values(volume)) {
    const names = (await Array.fromAsync(driver.list({}, ctx))).map(({ name }) => name);
    for (const name of names) await driver.remove({ name, force: true }, ctx);
  }
  for (const driver of Object.values(graph)) {
    // Children come before their parents, whatever the order of the list.
    for (
      let left = (await Array.fromAsync(driver.list({}, ctx))).map(({ key }) => key), before = Infinity;
      left.length > 0 && left.length < before;
    ) {
      before = left.length;
      for (const key of left) await driver.remove({ key }, ctx).catch(() => {});
      left = (await Array.fromAsync(driver.list({}, ctx))).map(({ key }) => key);
    }
  }
}
