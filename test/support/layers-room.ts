import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { graphMethods } from '@gantry/sdk/graph';
import { Content, digestOf } from '../../core/content/index.ts';
import { type Drivers, guard } from '../../core/drivers/index.ts';
import { Layers, type LayerSource } from '../../core/layers/index.ts';
import { Database } from '../../core/metadata/index.ts';
import { Overlay2 } from '../../plugins/graph/overlay2/overlay2.ts';
import { Vfs } from '../../plugins/graph/vfs/vfs.ts';
import { quietLog } from './quiet-log.ts';

export interface LayersRoom extends AsyncDisposable {
  readonly layers: Layers;
  readonly content: Content;
  readonly database: Database;
  readonly dataRoot: string;
  readonly execRoot: string;
  /** A layer tar as somebody brings it. */
  readonly source: (tar: Buffer, diffId?: string) => LayerSource;
}

/** The layers room over real graph drivers, without the rest of the engine. A second one on the same root is the engine after a restart. */
export function openLayers(root: string): LayersRoom {
  const dataRoot = join(root, 'data');
  const execRoot = join(root, 'exec');
  for (const folder of [dataRoot, execRoot]) mkdirSync(folder, { recursive: true });
  const database = new Database(join(dataRoot, 'metadata.db'));
  const content = new Content(dataRoot);
  const graph = { overlay2: new Overlay2(join(dataRoot, 'plugins', 'overlay2')), vfs: new Vfs(join(dataRoot, 'plugins', 'vfs')) };
  const layers = new Layers({ database, content, dataRoot, execRoot, log: quietLog, drivers: driversOf(graph, dataRoot) });
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
    [Symbol.asyncDispose]: async () => {
      await layers[Symbol.asyncDispose]();
      for (const driver of Object.values(graph)) await driver.settled();
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

function driversOf(graph: Readonly<Record<string, Overlay2 | Vfs>>, dataRoot: string): Drivers {
  const guarded = new Map(Object.entries(graph).map(([name, driver]) => [name, guard(driver, graphMethods, { label: name })]));
  return {
    get: async (_kind: string, name: string) => guarded.get(name) as never,
    has: (_kind, name) => guarded.has(name),
    names: () => [...guarded.keys()],
    preferred: async () => 'overlay2',
    grants: (_kind, name) => ({
      plugin: name,
      dataDir: join(dataRoot, 'plugins', name),
      mountTypes: [],
      hostPaths: [],
      devices: [],
      nftables: false,
    }),
  };
}
