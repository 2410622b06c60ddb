import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Activation, DriverKind, DriverKinds, HostContext } from '@gantry/sdk';
import { Database } from '../../../core/metadata/index.ts';
import plugin from '../../../plugins/compat/docker-plugin-v1/main.ts';
import { hostContext } from '../clients/host-context.ts';

const name = 'gantry.compat.docker-plugin-v1';

/** The adapter as the engine runs it, with folders of its own below `root`. */
export class DockerPluginHost implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'docker-plugins-'));
  readonly #database = new Database(join(this.root, 'metadata.db'));
  readonly #config: HostContext['config'];
  #activation: Activation | undefined;

  constructor(config: HostContext['config'] = {}) {
    for (const folder of ['sockets', 'specs', 'logging']) mkdirSync(join(this.root, folder));
    const folders = { socketFolders: [join(this.root, 'sockets')], specFolders: [join(this.root, 'specs')] };
    this.#config = { ...folders, loggingFolder: join(this.root, 'logging'), ...config };
  }

  socket(driver: string): string {
    return join(this.root, 'sockets', `${driver}.sock`);
  }

  async activation(): Promise<Activation> {
    this.#activation ??= await plugin.activate(hostContext({ name, config: this.#config, dataDir: this.root, database: this.#database }));
    return this.#activation;
  }

  async find<Kind extends DriverKind>(kind: Kind, driver: string): Promise<DriverKinds[Kind] | undefined> {
    return (await (await this.activation()).find?.(kind, driver)) as DriverKinds[Kind] | undefined;
  }

  async driver<Kind extends DriverKind>(kind: Kind, driver: string): Promise<DriverKinds[Kind]> {
    const found = await this.find(kind, driver);
    if (found === undefined) throw new Error(`no ${kind} driver ${driver}`);
    return found;
  }

  async names(kind: DriverKind): Promise<readonly string[]> {
    return (await (await this.activation()).names?.(kind)) ?? [];
  }

  /** As after a new start of the engine: the durable state is what is left. */
  async restart(): Promise<void> {
    await this.#activation?.deactivate?.();
    this.#activation = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.restart();
    this.#database[Symbol.dispose]();
    rmSync(this.root, { recursive: true });
  }
}
