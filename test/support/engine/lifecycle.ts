import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Container, CreateContainer, HostConfig, ContainerConfig } from '@gantry/sdk/engine';
import { Content } from '../../../core/content/index.ts';
import { EventBus } from '../../../core/events/index.ts';
import { Layers } from '../../../core/layers/index.ts';
import { Lifecycle } from '../../../core/lifecycle/index.ts';
import { Logs } from '../../../core/logs/index.ts';
import { Database } from '../../../core/metadata/index.ts';
import { NetworksRoom } from '../../../core/networks/index.ts';
import { PluginHost } from '../../../core/plugin-host/index.ts';
import { VolumesRoom } from '../../../core/volumes/index.ts';
import { quietLog } from '../machine/quiet-log.ts';
import { TestImages } from '../images/test-images.ts';
import type { Logger } from '@gantry/sdk';

const plugins = fileURLToPath(new URL('../../../plugins', import.meta.url));

/** Every real room but images, wired as the engine does it. */
export class LifecycleUnderTest implements AsyncDisposable {
  readonly lifecycle: Lifecycle;
  readonly images: TestImages;
  readonly volumes: VolumesRoom;
  readonly events: EventBus;
  readonly database: Database;
  readonly recovered: Promise<void>;
  readonly #opened: AsyncDisposableStack;

  private constructor(
    parts: Pick<LifecycleUnderTest, 'lifecycle' | 'images' | 'volumes' | 'events' | 'database' | 'recovered'>,
    opened: AsyncDisposableStack,
  ) {
    this.lifecycle = parts.lifecycle;
    this.images = parts.images;
    this.volumes = parts.volumes;
    this.events = parts.events;
    this.database = parts.database;
    this.recovered = parts.recovered;
    this.#opened = opened;
  }

  static async open(
    root: string,
    {
      log = quietLog,
      settings = {},
    }: { readonly log?: Logger; readonly settings?: Readonly<Record<string, Readonly<Record<string, unknown>>>> } = {},
  ): Promise<LifecycleUnderTest> {
    const [dataRoot, execRoot] = [join(root, 'data'), join(root, 'exec')];
    for (const folder of [dataRoot, execRoot]) mkdirSync(folder, { recursive: true, mode: 0o700 });
    await using opened = new AsyncDisposableStack();
    const database = opened.use(new Database(join(dataRoot, 'metadata.db')));
    const events = new EventBus();
    const drivers = opened.use(new PluginHost({ dataRoot, execRoot, log, database, pluginDirs: [plugins], pluginSettings: settings }));
    const content = new Content(dataRoot);
    const layers = opened.use(new Layers({ database, drivers, content, dataRoot, execRoot, log }));
    const images = new TestImages({ database, layers, content, graphDriver: 'overlay2' });
    const networks = opened.use(new NetworksRoom({ database, drivers, events, execRoot, log, users: () => lifecycle.networkUsers }));
    const volumes = new VolumesRoom({ database, drivers, events, execRoot, log, defaultDriver: 'local' });
    const logs = opened.use(new Logs({ database, drivers, dataRoot, log }));
    const parts = {
      database,
      drivers,
      events,
      images,
      networks,
      volumes,
      logs,
      dataRoot,
      execRoot,
      log,
      graphDriver: async () => 'overlay2',
    };
    const lifecycle: Lifecycle = opened.use(
      new Lifecycle({ ...parts, layers: layers.containers, archives: layers.archives, defaultLog: { driver: 'json-file', options: {} } }),
    );
    await networks.start();
    const recovered = lifecycle.start();
    return new LifecycleUnderTest({ lifecycle, images, volumes, events, database, recovered }, opened.move());
  }

  get containers() {
    return this.lifecycle.containers;
  }

  get execs() {
    return this.lifecycle.execs;
  }

  /** A container without a network that runs a shell script; removed by the test. */
  async create(
    script: string,
    {
      config = {},
      hostConfig = {},
      name,
    }: { readonly config?: ContainerConfig; readonly hostConfig?: HostConfig; readonly name?: string } = {},
  ): Promise<string> {
    const request: CreateContainer = {
      config: { Image: 'busybox', Cmd: ['sh', '-c', script], ...config },
      hostConfig: { NetworkMode: 'none', ...hostConfig },
      ...(name !== undefined && { name }),
    };
    return (await this.containers.create(request)).id;
  }

  /** Runs a script to its end and answers what it wrote and how it ended. */
  async run(
    script: string,
    options: Parameters<LifecycleUnderTest['create']>[1] = {},
  ): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string; readonly container: Container }> {
    const id = await this.create(script, options);
    try {
      const attached = await this.containers.attach(id, { stdin: false, stdout: true, stderr: true, stream: true });
      const output = collect(attached.output);
      const { result } = this.containers.wait(id, 'next-exit');
      await this.containers.start(id);
      const { exitCode } = await result;
      return { exitCode, ...(await output), container: this.containers.inspect(id) };
    } finally {
      await this.containers.remove(id, { force: true, volumes: true });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }
}

export async function collect(output: AsyncIterable<{ readonly source: 'stdout' | 'stderr'; readonly data: Buffer }>) {
  const text = { stdout: '', stderr: '' };
  for await (const { source, data } of output) text[source] += data.toString('utf8');
  return text;
}

/** A folder for the roots of engines, gone at the end. */
export function testRoot(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'life-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
