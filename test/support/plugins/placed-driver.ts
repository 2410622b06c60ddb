import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { DriverKind, DriverKinds, HostContext } from '@gantry/sdk';
import { Database, pluginState } from '../../../core/metadata/index.ts';
import { HandedSockets } from '../../../core/plugin-host/placements/handed-sockets.ts';
import { withDefaultsOf } from '../../../core/plugin-host/options.ts';
import { Plugin } from '../../../core/plugin-host/life/plugin.ts';
import { defaultPolicy } from '../../../core/plugin-host/life/policy.ts';
import { Records } from '../../../core/plugin-host/records.ts';
import { Registry } from '../../../core/plugin-host/registry.ts';
import { foldersOf, startLink } from '../../../core/plugin-host/placements/start.ts';
import { quietLog } from '../machine/quiet-log.ts';
import { slowness } from '../machine/slowness.ts';

export const placements = ['in-process', 'worker', 'process'] as const;
export type DriverPlacement = (typeof placements)[number];

export interface PlacedOptions {
  /** The plugin's folder: for a shipped one "graph/overlay2", else a whole path. */
  readonly plugin: string;
  readonly placement: DriverPlacement;
  readonly config?: HostContext['config'];
  /** Below which it gets a folder for its data, which goes with it. */
  readonly root?: string;
}
/** A plugin where the engine would run it. Its drivers are the naive ones: no guard makes them better than they are. */
export interface PlacedPlugin extends AsyncDisposable {
  readonly dataDir: string;
  /** Everything of it is below. */
  readonly folder: string;
  readonly pid: number;
  driver<Kind extends DriverKind>(kind: Kind, name: string): Promise<DriverKinds[Kind]>;
  /** Ends it and starts it again over the same data and state. Drivers from before are of no use afterwards. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  /** Kills its process and starts it again. */
  kill(): Promise<void>;
  /** What it printed. */
  output(): readonly string[];
}

/** Many calls at once keep an emulated machine from saying anything for a while. */
const patient = {
  startMs: 180_000,
  healthDeadlineMs: defaultPolicy.healthDeadlineMs * slowness,
  keepaliveMs: defaultPolicy.keepaliveMs * slowness,
};

/** Starts a plugin by the engine's own code: its record, launch, sandbox, handshake, host service and codec are the real ones. */
export async function openPlaced({ plugin: dir, placement, config = {}, root: above = tmpdir() }: PlacedOptions): Promise<PlacedPlugin> {
  await using undo = new AsyncDisposableStack();
  const root = undo.adopt(mkdtempSync(join(above, 'placed-')), (path) => rmSync(path, { recursive: true, force: true }));
  const database = undo.use(new Database(join(root, 'metadata.db')));
  const place = dir.startsWith('/') ? dir : join(import.meta.dirname, '../../../plugins', dir);
  const options = withDefaultsOf({
    database,
    log: quietLog,
    dataRoot: join(root, 'data'),
    execRoot: join(root, 'run'),
    pluginDirs: [join(place, '..')],
    version: '0.1.0',
    pluginPolicy: patient,
  });
  const found =
    new Records(options).load().find((record) => basename(record.dir) === basename(place)) ?? assert.fail(`no plugin in ${place}`);
  assert.ok((found.manifest.placement ?? ['process']).includes(placement), `${found.name} does not run in placement ${placement}`);
  const record = { ...found, placement, settings: config };
  const sockets = new HandedSockets(new Registry(pluginState(database, 'engine')));
  // A new one at each start, as after a restart of the engine: its first generation, so that paths are the same again.
  const make = (): Plugin =>
    new Plugin(record, {
      policy: { ...defaultPolicy, ...patient },
      start: (...given) => startLink({ options, sockets }, ...given),
      onEvent: () => {},
      onReady: () => {},
      onCall: () => undefined,
      onProbationPassed: () => {},
      onProbationFailed: () => {},
      onFull: () => {},
    });
  let plugin = make();
  undo.defer(() => plugin.close());
  const { dataDir } = foldersOf(options, record);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const { link } = await plugin.serving();
  assert.equal(link.pid !== undefined, placement === 'process');
  const again = async (meanwhile?: () => Promise<void>): Promise<void> => {
    await plugin.close();
    await meanwhile?.();
    plugin = make();
    await plugin.start();
  };
  const whole = undo.move();
  return {
    dataDir,
    folder: root,
    get pid() {
      return plugin.current?.link.pid ?? process.pid;
    },
    driver: async (kind, name) =>
      ((await (await plugin.serving()).driver(kind, name)) ?? assert.fail(`no ${kind} driver ${name}`)) as never,
    restart: again,
    kill: async () => {
      const { link: killed } = await plugin.serving();
      assert.ok(killed.pid !== undefined, 'it has no process of its own');
      process.kill(killed.pid, 'SIGKILL');
      await killed.ended;
      await again();
    },
    output: () => plugin.output.tail(1_000),
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}
