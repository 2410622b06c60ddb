import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { createEngine, EngineOptions, LocalEngine } from '../../core/index.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample } from './statistics.ts';

/** What plugins outside the engine's process cost. The engine is in this process, from the built package; the floor is the same in its own process. */
export const pluginScenarios: Readonly<Record<string, Scenario>> = {
  'plugin-call': { unit: 'ms', target: { atMost: 0.5 }, measure: call },
  'plugin-ready': { unit: 'ms', target: { atMost: 200 }, measure: ready },
  'plugin-start': { unit: 'ms', target: { atMost: 1.3 }, measure: containerStart },
  'plugin-recovery': { unit: 'ms', target: { atMost: 1000 }, measure: recovery },
  'plugin-50-one-hung': { unit: 'ms', target: { atMost: 1.5 }, measure: oneHung },
  'plugin-50-idle-memory': { unit: 'MB', target: { atMost: 5 }, measure: idle },
};

const kinds = ['graph', 'volume', 'log', 'network', 'ipam', 'exec'];
const package_ = pathToFileURL(join(import.meta.dirname, '../../dist/core/index.js')).href;

async function open(folder: string, options: EngineOptions = {}): Promise<LocalEngine> {
  const { createEngine: create } = (await import(package_)) as { readonly createEngine: typeof createEngine };
  mkdirSync(folder, { recursive: true });
  return create({
    dataRoot: join(folder, 'data'),
    execRoot: join('/run', `bench-${process.pid}`, folder.slice(-8)),
    pluginCgroup: `bench-${process.pid}`,
    ...options,
  });
}

async function within<T>(bench: Bench, options: EngineOptions, work: (engine: LocalEngine, folder: string) => Promise<T>): Promise<T> {
  const folder = bench.folder('plugins');
  const engine = await open(folder, options);
  try {
    return await work(engine, folder);
  } finally {
    await engine[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A driver's method that does nothing, over gRPC in a confined process. */
function call(bench: Bench): Promise<Measured> {
  return within(bench, { pluginDirs: [plugins(bench, 1)] }, async (engine) => {
    const stat = () => engine.plugins.call({ kind: 'volume', driver: 'bench-0', method: 'stat', request: { name: 'x' }, dryRun: true });
    return { values: await sample(bench.samples(3000), stat, 200) };
  });
}

/** From "start it" to "it has its settings", sandbox and handshake included. */
function ready(bench: Bench): Promise<Measured> {
  return within(bench, { pluginDirs: [plugins(bench, 1)] }, async (engine) => {
    const again = async (): Promise<void> => {
      await engine.plugins.disable('bench-0');
      await engine.plugins.enable('bench-0');
    };
    const values: number[] = [];
    for (let start = 0; start < bench.samples(8); start += 1) {
      await again();
      values.push(engine.plugins.inspect('bench-0').startedInMs ?? Number.NaN);
    }
    return { values };
  });
}

/** `start` of a container with a network, with every driver in a process of its own; the floor: with all of them in the engine's. */
async function containerStart(bench: Bench): Promise<Measured> {
  const placement = Object.fromEntries(kinds.map((kind) => [kind, 'process'] as const));
  return within(bench, {}, (here) =>
    within(bench, { pluginPlacement: placement }, async (apart) => {
      for (const engine of [here, apart]) await prepare(engine);
      const [floors, values]: [number[], number[]] = [[], []];
      // Turn by turn: what else the machine does hits both.
      for (let turn = -3; turn < bench.samples(40); turn += 1) {
        const [floor, value] = [await startOne(here), await startOne(apart)];
        if (turn < 0) continue;
        floors.push(floor);
        values.push(value);
      }
      return { floors, values };
    }),
  );
}

async function prepare(engine: LocalEngine): Promise<void> {
  await engine.images.load(
    (async function* () {
      yield busyboxImage().archive;
    })(),
    {},
  );
  await engine.networks.create({ name: 'net', driver: 'bridge' });
}

async function startOne({ containers }: LocalEngine): Promise<number> {
  const { id } = await containers.create({ config: { Image: 'busybox', Cmd: ['true'] }, hostConfig: { NetworkMode: 'net' } });
  const { result } = containers.wait(id, 'next-exit');
  const began = performance.now();
  await containers.start(id);
  const took = performance.now() - began;
  await result;
  await containers.remove(id);
  return took;
}

/** From `kill -9` of the plugin's process to the next answer. */
function recovery(bench: Bench): Promise<Measured> {
  // Each is counted as a crash, and five are too many: the budget is not what is measured.
  const options: EngineOptions = { pluginDirs: [plugins(bench, 1)], pluginPolicy: { crashBudget: { count: 1000, withinMs: 1 } } };
  return within(bench, options, async (engine) => {
    const stat = () => engine.plugins.call({ kind: 'volume', driver: 'bench-0', method: 'stat', request: { name: 'x' }, dryRun: true });
    await stat();
    const recover = async (): Promise<void> => {
      process.kill(engine.plugins.inspect('bench-0').pid ?? 0, 'SIGKILL');
      await stat();
    };
    return { values: await sample(bench.samples(6), recover, 1) };
  });
}

/** The slowest hundredth of calls to nine plugins while a tenth hangs, in times of the same without it; fifty are enabled. */
function oneHung(bench: Bench): Promise<Measured> {
  return within(bench, { pluginDirs: [plugins(bench, 50)] }, async (engine) => {
    const stat = (index: number, name = 'x') =>
      engine.plugins.call({ kind: 'volume', driver: `bench-${index}`, method: 'stat', request: { name }, dryRun: true });
    for (let index = 0; index < 10; index += 1) await stat(index);
    const rounds = bench.samples(600);
    const slowest = async (): Promise<number> => {
      const times = (await sample(rounds, () => stat(1 + Math.floor(Math.random() * 9)), 50)).toSorted((a, b) => a - b);
      return times[Math.floor(times.length * 0.99)] ?? Number.NaN;
    };
    const floors = [await slowest(), await slowest(), await slowest()];
    const hung = Array.from({ length: 16 }, () => stat(0, 'hang').catch(() => undefined));
    const values = [await slowest(), await slowest(), await slowest()];
    await Promise.all(hung);
    return { floors, values };
  });
}

/** What fifty installed plugins cost that nobody calls: resident memory of gantryd at rest, over one that has none. */
async function idle(bench: Bench): Promise<Measured> {
  const resident = async (flags: readonly string[]): Promise<number> => {
    await using daemon = await Daemon.start({ folder: bench.folder('idle'), flags });
    await sleep(2_000);
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) / 1000;
  };
  const without = await resident([]);
  return {
    values: [Math.max(0, (await resident(['--plugin-dir', plugins(bench, 50)])) - without)],
    note: `${without.toFixed(0)} MB without`,
  };
}

/** So many volume plugins whose `stat` answers at once, or hangs for the name "hang". */
function plugins(bench: Bench, count: number): string {
  const folder = bench.folder(`plugins-${count}`);
  for (let index = 0; index < count; index += 1) {
    const name = `bench-${index}`;
    mkdirSync(join(folder, name), { recursive: true });
    const provides = [{ contract: 'volume', versions: ['v1'], drivers: [name] }];
    const manifest = {
      manifestVersion: 1,
      name,
      version: '1.0.0',
      provides,
      entry: { node: 'main.mjs' },
      timeouts: { 'volume.stat': '5s' },
    };
    writeFileSync(join(folder, name, 'gantry-plugin.json'), JSON.stringify(manifest));
    writeFileSync(join(folder, name, 'main.mjs'), driver(name));
  }
  return folder;
}

const driver = (name: string): string => `
const volume = (name) => ({ volume: { name, scope: 'local', options: {} } });
const driver = {
  create: async ({ name }) => volume(name), remove: async () => {}, detach: async () => {}, list: async function* () {},
  stat: ({ name }) => (name === 'hang' ? new Promise(() => {}) : Promise.resolve(volume(name))),
  attach: async () => ({ attachment: { mounts: [] } }),
};
export default { activate: async () => ({ drivers: { volume: { '${name}': driver } } }) };
`;
