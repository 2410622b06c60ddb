import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineEvent, Progress } from '@gantry/sdk/engine';
import { Content } from '../../../core/content/index.ts';
import { driverContext } from '../../../core/drivers/index.ts';
import { EventBus } from '../../../core/events/index.ts';
import { ImagesRoom, type ImageUser } from '../../../core/images/index.ts';
import { Layers } from '../../../core/layers/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { PluginHost } from '../../../core/plugin-host/index.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

const plugins = fileURLToPath(new URL('../../../plugins', import.meta.url));

/** The images room over real content, layers and overlay2, in a folder of its own; who uses images is said by the test. */
export class RoomUnderTest implements AsyncDisposable {
  readonly images: ImagesRoom;
  readonly layers: Layers;
  readonly content: Content;
  readonly dataRoot: string;
  /** Image id → its users. */
  readonly users = new Map<string, readonly ImageUser[]>();
  readonly events: EngineEvent[] = [];
  readonly #drivers: PluginHost;
  readonly #driver: string;
  readonly #opened: AsyncDisposableStack;

  private constructor(root: string, driver: string, pluginSettings?: Readonly<Record<string, Readonly<Record<string, unknown>>>>) {
    const opened = new AsyncDisposableStack();
    const [dataRoot, execRoot] = [join(root, 'data'), join(root, 'exec')];
    for (const folder of [dataRoot, execRoot]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const database = opened.use(new Database(join(dataRoot, 'metadata.db')));
    const drivers = opened.use(new PluginHost({ dataRoot, execRoot, log: quietLog, database, pluginDirs: [plugins], pluginSettings }));
    this.dataRoot = dataRoot;
    this.content = new Content(dataRoot);
    this.layers = opened.use(new Layers({ database, drivers, content: this.content, dataRoot, execRoot, log: quietLog }));
    const events = new EventBus();
    const publish = events.publish.bind(events);
    events.publish = (type, action, id, attributes) => {
      this.events.push({ type, action, actor: { id, attributes: attributes ?? {} }, scope: 'local', time: { seconds: 0, nanos: 0 } });
      publish(type, action, id, attributes);
    };
    const users = { usersOf: (id: string) => this.users.get(id) ?? [] };
    const parts = { database, drivers, content: this.content, layers: this.layers, events, log: quietLog };
    this.images = new ImagesRoom({ ...parts, graphDriver: () => Promise.resolve(driver), users: () => users });
    this.#drivers = drivers;
    this.#driver = driver;
    this.#opened = opened;
  }

  /** In `root`, or in a new folder that goes away with it. */
  static open({
    root,
    driver = 'overlay2',
    registry,
  }: {
    readonly root?: string;
    readonly driver?: string;
    /** Settings of what talks to registries. */
    readonly registry?: Readonly<Record<string, unknown>>;
  } = {}): RoomUnderTest {
    const settings = registry === undefined ? undefined : { 'gantry.transport.registry': registry };
    if (root !== undefined) return new RoomUnderTest(root, driver, settings);
    const own = mkdtempSync(join(tmpdir(), 'images-'));
    const room = new RoomUnderTest(own, driver, settings);
    room.#opened.defer(() => rmSync(own, { recursive: true, force: true }));
    return room;
  }

  load(archive: Buffer, onProgress?: (progress: Progress) => void) {
    return this.images.load(pieces(archive), onProgress === undefined ? {} : { onProgress });
  }

  /** Everything that a failure must leave as it was. */
  async left(): Promise<{
    readonly blobs: number;
    readonly ingest: readonly string[];
    readonly layers: number;
    readonly snapshots: number;
  }> {
    let snapshots = 0;
    for await (const _snapshot of (await this.#drivers.get('graph', this.#driver)).list({}, driverContext(quietLog))) snapshots += 1;
    return {
      blobs: this.content.list().length,
      ingest: readdirSync(join(this.dataRoot, 'content', 'ingest')),
      layers: this.layers.images.all().length,
      snapshots,
    };
  }

  takeEvents(): readonly string[] {
    return this.events.splice(0).map(({ action, actor }) => `${action} ${actor.attributes['name'] ?? ''}`.trim());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

/** As a socket gives it. */
export async function* pieces(bytes: Buffer, pieceBytes = 65_536): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

export async function collected(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
