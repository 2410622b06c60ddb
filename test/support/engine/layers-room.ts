import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GraphDriver, graphMethods, type SnapshotDriver } from '@gantry/sdk/graph';
import { Content, digestOf } from '../../../core/content/index.ts';
import { driverContext, type Drivers, type Grants, guard } from '../../../core/drivers/index.ts';
import { Helpers } from '../../../core/execute/index.ts';
import { Layers, type LayerSource } from '../../../core/layers/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { Overlay2 } from '../../../plugins/graph/overlay2/overlay2.ts';
import { Vfs } from '../../../plugins/graph/vfs/vfs.ts';
import { type Granted, grantsOf } from '../plugins/conformance-world.ts';
import { quietLog } from '../machine/quiet-log.ts';
import { removeSnapshots } from '../images/remove-snapshots.ts';

export interface LayersRoom extends AsyncDisposable {
  readonly layers: Layers;
  readonly content: Content;
  readonly database: Database;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** A layer tar as somebody brings it. */
  readonly source: (tar: Buffer, diffId?: string) => LayerSource;
  /** Takes away all that a driver has, whatever the rows say: for what only the driver can delete. */
  readonly removeAll: (driver: string) => Promise<void>;
}

export interface LayersRoomOptions {
  /** Drivers besides overlay2 and vfs, by name, each made for its data folder. */
  readonly graph?: Readonly<Record<string, (dataDir: string) => SnapshotDriver>>;
  /** What their descriptions need. */
  readonly privileges?: Granted['manifest']['privileges'];
}

/** The layers room over real graph drivers, without the rest of the engine. A second one on the same root is the engine after a restart. */
export function openLayers(root: string, { graph: others = {}, privileges = {} }: LayersRoomOptions = {}): LayersRoom {
  const dataRoot = join(root, 'data');
  const execRoot = join(root, 'exec');
  for (const folder of [dataRoot, execRoot]) mkdirSync(folder, { recursive: true });
  const database = new Database(join(dataRoot, 'metadata.db'));
  const content = new Content(dataRoot);
  const dataDirOf = (driver: string): string => join(dataRoot, 'plugins', driver);
  const makers = { overlay2: (folder: string) => new Overlay2(folder), vfs: (folder: string) => new Vfs(folder), ...others };
  const graph = new Map(Object.entries(makers).map(([name, make]) => [name, make(dataDirOf(name))]));
  const helpers = new Helpers({ execRoot, log: quietLog });
  const drivers = driversOf(graph, (name) => grantsOf({ manifest: { name, privileges }, dataDir: dataDirOf(name) }));
  const layers = new Layers({ database, content, dataRoot, execRoot, log: quietLog, drivers, helpers });
  return {
    layers,
    content,
    database,
    dataRoot,
    execRoot,
    source: (tar, diffId = digestOf(tar)) => {
      const path = content.newIngestPath();
      writeFileSync(path, tar);
      return { diffId, blob: { path, digest: digestOf(tar), sizeBytes: tar.length } };
    },
    removeAll: async (name) => {
      const driver = graph.get(name);
      if (driver !== undefined) await removeSnapshots(driver, driverContext(quietLog));
    },
    [Symbol.asyncDispose]: async () => {
      await layers[Symbol.asyncDispose]();
      await helpers[Symbol.asyncDispose]();
      for (const driver of graph.values()) await driver.settled();
      database[Symbol.dispose]();
    },
  };
}

/** Stages and records stacks, and an image row that keeps them. Answers the top chain of the first. */
export async function addImage(
  room: LayersRoom,
  stack: readonly LayerSource[],
  graphDriver: string,
  id = 'image',
): Promise<readonly string[]> {
  await using staged = await room.layers.images.stage([stack], { graphDriver });
  const [chain = []] = staged.chainIds;
  room.database.transaction(() => {
    staged.record();
    room.database.run(
      "INSERT OR IGNORE INTO images (id, parent, top_chain, built_here, last_tagged, added) VALUES (?, '', ?, 0, '', 0)",
      id,
      chain.at(-1) ?? null,
    );
  });
  staged.keep();
  return chain;
}

function driversOf(graph: ReadonlyMap<string, GraphDriver>, grants: (name: string) => Grants): Drivers {
  const guarded = new Map([...graph].map(([name, driver]) => [name, guard(driver, graphMethods, { label: name })]));
  return {
    get: async (_kind: string, name: string) => guarded.get(name) as never,
    has: (_kind, name) => guarded.has(name),
    names: () => [...guarded.keys()],
    preferred: async () => 'overlay2',
    grants: (_kind, name) => grants(name),
  };
}
