import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Manifest } from '@gantry/sdk';
import type { PluginInfo } from '@gantry/sdk/engine';
import type { EngineOptions } from '../../../core/index.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { withDeadline } from '../../../core/support/index.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import type { Fault } from '../../support/plugins/fault-plugin/fault.ts';
import type { Raw } from '../../support/plugins/fault-plugin/raw-fault.ts';
import type { Speaks } from '../../support/plugins/fault-plugin/socket-fault.ts';

const code = join(import.meta.dirname, '../../support/plugins/fault-plugin');

export interface PluginWishes {
  /** Fields of the manifest that differ. */
  readonly manifest?: Partial<Manifest>;
  readonly driver?: string;
  /** Of its drivers, all of one name; a volume driver unless given. */
  readonly kinds?: readonly ('volume' | 'network' | 'ipam' | 'log')[];
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Default true. */
  readonly enable?: boolean;
  readonly placement?: 'process' | 'worker';
  /** The plugin that does not speak as one instead. */
  readonly socket?: Speaks;
  /** The plugin that answers bytes instead. */
  readonly raw?: Omit<Raw, 'driver'>;
}

/** Settings of the fault plugin. */
export const settings = {
  type: 'object',
  properties: {
    fails: { type: 'string', enum: ['activate', 'exit', 'self-test', 'reconcile'] },
    live: { type: 'boolean' },
    colour: { type: 'string', maxLength: 10 },
    size: { type: 'integer', 'x-restart': true },
    password: { type: 'string', 'x-secret': true },
  },
  additionalProperties: false,
};

/** A folder with a plugin of this name, alone in another folder. */
export function pluginFolder(
  parent: string,
  name: string,
  { manifest = {}, driver = name, kinds = ['volume'], raw, socket }: PluginWishes = {},
): string {
  const folder = mkdtempSync(join(mkdtempSync(join(parent, 'plugins-')), `${name}-`));
  // Its user reads it where it lies.
  chmodSync(folder, 0o755);
  cpSync(code, folder, { recursive: true });
  if (raw === undefined) writeFileSync(join(folder, 'driver.json'), JSON.stringify({ driver, kinds }));
  else writeFileSync(join(folder, 'raw.json'), JSON.stringify({ driver, ...raw }));
  if (socket !== undefined) writeFileSync(join(folder, 'socket.json'), JSON.stringify(socket));
  const main = socket !== undefined ? 'socket.ts' : raw === undefined ? 'main.ts' : 'raw.ts';
  const whole: Manifest = {
    manifestVersion: 1,
    name,
    version: '1.0.0',
    provides: kinds.map((contract) => ({ contract, versions: ['v1'], drivers: [driver] })),
    entry: { node: main },
    placement: ['process', 'worker'],
    settings,
    ...manifest,
  };
  writeFileSync(join(folder, 'gantry-plugin.json'), JSON.stringify(whole));
  return folder;
}

/** An engine with one plugin that does well ("well"), and as many that do not as a test wants. */
export class Rig implements AsyncDisposable {
  readonly under: EngineUnderTest;
  readonly #sources: string;
  #well: FaultPlugin | undefined;

  private constructor(under: EngineUnderTest) {
    this.under = under;
    this.#sources = mkdtempSync(join(under.folder, 'sources-'));
  }

  static async open(options: EngineOptions = {}): Promise<Rig> {
    const rig = new Rig(await EngineUnderTest.open(options));
    rig.#well = await rig.install('well');
    return rig;
  }

  get engine() {
    return this.under.engine;
  }

  get well(): FaultPlugin {
    assert.ok(this.#well !== undefined);
    return this.#well;
  }

  /** A folder with a plugin of this name; again: another version of it. */
  source(name: string, wishes: PluginWishes = {}): string {
    return pluginFolder(this.#sources, name, wishes);
  }

  async install(name: string, wishes: PluginWishes = {}): Promise<FaultPlugin> {
    const { enable = true, placement = 'process', settings: given = {} } = wishes;
    const source = this.source(name, wishes);
    await this.engine.plugins.install({ source, grant: 'all', enable, settings: given, placement });
    return new FaultPlugin(this.under, name, wishes.driver ?? name);
  }

  /** What others ask while a plugin is at fault: each answers soon, `volume ls` within its own budget of two seconds. */
  async othersAreWell(): Promise<void> {
    const { volumes, containers, system } = this.engine;
    const within = async (what: string, ms: number, work: Promise<unknown>): Promise<void> => {
      const done = await Promise.race([work.then(() => true), sleep(ms, false, { ref: false })]);
      assert.ok(done, `${what} took more than ${ms} ms`);
    };
    const name = `other-${Math.random().toString(36).slice(2)}`;
    await Promise.all([
      within('volume ls', 15_000, volumes.list({})),
      within('info', 12_000, system.info()),
      within('ps', 12_000, Promise.resolve(containers.list({ all: true }))),
      within(
        "another plugin's create and remove",
        12_000,
        volumes.create({ name, driver: 'well' }).then(() => volumes.remove(name, { force: false })),
      ),
    ]);
  }

  /** From the first call to a plugin in its own process on, the engine keeps the file open that says what it is at. */
  async callsWorker(): Promise<void> {
    await using worker = await this.install('first-worker', { placement: 'worker' });
    await worker.create('first-worker-volume');
  }

  /** Fails, when disposed, for what came meanwhile and stayed. */
  async noLeaks(): Promise<AsyncDisposable> {
    await this.under.warm();
    return noLeaks();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.under[Symbol.asyncDispose]();
  }
}

/** The data folder of a fault plugin, which is told there what to do. */
export class FaultFolder {
  readonly #path: string;
  constructor(path: string) {
    this.#path = path;
  }

  misbehave(faults: Readonly<Record<string, Fault>>): void {
    mkdirSync(this.#path, { recursive: true });
    rmSync(join(this.#path, 'faults.json'), { force: true });
    writeFileSync(join(this.#path, 'faults.json'), JSON.stringify(faults));
  }
}

/** One installed fault plugin. Disposing removes it with its volumes. */
export class FaultPlugin implements AsyncDisposable {
  readonly name: string;
  readonly driver: string;
  readonly #under: EngineUnderTest;

  constructor(under: EngineUnderTest, name: string, driver: string) {
    this.#under = under;
    this.name = name;
    this.driver = driver;
  }

  get info(): PluginInfo {
    return this.#under.engine.plugins.inspect(this.name);
  }

  get dataDir(): string {
    return join(this.#under.folder, 'data/plugins', this.info.id.slice(0, 12));
  }

  get runDir(): string {
    return join(this.#under.folder, 'exec/p', this.info.id.slice(0, 12));
  }

  get pid(): number {
    const { pid } = this.info;
    assert.ok(pid !== undefined, `${this.name} does not run: ${this.info.error}`);
    return pid;
  }

  /** From now on. */
  misbehave(faults: Readonly<Record<string, Fault>>): void {
    new FaultFolder(this.dataDir).misbehave(faults);
  }

  /** Methods that were called, in order. */
  calls(): readonly string[] {
    const file = join(this.dataDir, 'calls');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  }

  create(volume: string, options: Readonly<Record<string, string>> = {}) {
    return this.#under.engine.volumes.create({ name: volume, driver: this.driver, options });
  }

  /** Serves by a later generation than this one. */
  async comesBack(generation: number): Promise<void> {
    const isBack = (): boolean => this.info.state === 'ready' && (this.info.generation ?? 0) > generation;
    await until(isBack, 15_000, () => `${this.name} did not come back: ${JSON.stringify(this.info)}`);
  }

  async becomes(state: PluginInfo['state'], timeoutMs = 15_000): Promise<PluginInfo> {
    await until(
      () => this.info.state === state,
      timeoutMs,
      () => `${this.name} is ${this.info.state} (${this.info.error}), not ${state}`,
    );
    return this.info;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { volumes, plugins } = this.#under.engine;
    this.misbehave({});
    if (!this.info.enabled || this.info.state !== 'ready') await plugins.enable(this.name).catch(() => {});
    for (const { name, driver } of (await volumes.list({})).volumes) {
      if (driver === this.driver) await volumes.remove(name, { force: true }).catch(() => {});
    }
    await plugins.remove(this.name, { force: true });
  }
}

/** A container that writes to a volume all the time. `isUntouched` throws unless the same process still writes. */
export async function writer(
  under: EngineUnderTest,
  volume: string,
  driver: string,
): Promise<{ readonly id: string; isUntouched(): Promise<void> } & AsyncDisposable> {
  const { containers, volumes } = under.engine;
  await volumes.create({ name: volume, driver });
  const id = await under.create('while :; do echo x >> /v/lines; usleep 10000; done', {
    hostConfig: { Mounts: [{ Type: 'volume', Source: volume, Target: '/v', VolumeOptions: { DriverConfig: { Name: driver } } }] },
  });
  await containers.start(id);
  const { pid } = containers.inspect(id).state;
  const file = `/proc/${pid}/root/v/lines`;
  const size = (): number => (existsSync(file) ? statSync(file).size : 0);
  return {
    id,
    async isUntouched() {
      const { state } = containers.inspect(id);
      assert.deepEqual([state.running, state.pid], [true, pid]);
      const before = size();
      await until(
        () => size() > before,
        5_000,
        () => `container of ${volume} writes no more`,
      );
    },
    [Symbol.asyncDispose]: () => containers.remove(id, { force: true, volumes: true }),
  };
}

export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs: number, why: () => string): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) assert.fail(why());
    await sleep(20);
  }
}

/** Processes whose words are these. */
export function processesOf(words: string): readonly string[] {
  return globSync('/proc/[0-9]*/cmdline').filter((file) => commandOf(file) === words);
}

/** Process ids of those that have this word among theirs, and of none that only starts them. */
export function processesWith(word: string): readonly string[] {
  return globSync('/proc/[0-9]*/cmdline').filter((file) => commandOf(file).split(' ').includes(word));
}

function commandOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** The time after which a call cannot have met its deadline any more: far above what it takes, far below 30 s. */
export async function soon<T>(work: Promise<T>, ms = 12_000): Promise<T> {
  return await withDeadline(ms, () => work);
}
