import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCodes, GantryError } from '../errors.ts';
import { checkManifest, durationMs } from '../manifest.ts';
import type { DriverKind, Ref } from '../plugin.ts';
import type { Schema } from '../author/index.ts';
import type { Ctx } from '../types/index.ts';
import { loadModule, type OpenedPlugin } from './opened-plugin.ts';
import type { Probe } from './probes.ts';

/** A plugin as a whole under test, by the smallest use of one of its drivers. */
export interface PluginUnderTest {
  readonly dir: string;
  readonly plugin: OpenedPlugin;
  readonly openedInMs: number;
  readonly kind: DriverKind;
  readonly driver: string;
  readonly probe: Probe | undefined;
  /** The smallest use again, of the drivers that are there after a restart. */
  readonly probeAgain: () => Probe | undefined;
  readonly ctx: (signal?: AbortSignal) => Ctx;
}
export interface PluginCase {
  readonly name: string;
  readonly skip: (subject: PluginUnderTest) => string | undefined;
  readonly run: (subject: PluginUnderTest) => Promise<void>;
}

type Run = PluginCase['run'];

const always: Readonly<Record<string, Run>> = {
  'manifest.schema': async ({ plugin }) => void checkManifest(plugin.manifest),
  'manifest.readable-without-running': async ({ plugin }) => {
    assert.deepEqual(JSON.parse(JSON.stringify(plugin.manifest)), plugin.manifest, 'the manifest is more than JSON can hold');
  },
  'manifest.agrees-with-code': async ({ dir, plugin }) => {
    if (plugin.manifest.entry.node === undefined) return;
    const { manifest: written } = await loadModule(dir, plugin.manifest);
    if (written === undefined) return;
    const compared = (from: object) => JSON.parse(JSON.stringify({ ...from, entry: undefined, documentation: undefined })) as unknown;
    assert.deepEqual(
      compared(written),
      compared(plugin.manifest),
      'gantry-plugin.json is not what the code says: gantry-sdk manifest writes it',
    );
  },
  'manifest.drivers-are-there': async ({ plugin }) => {
    for (const { contract, drivers, features = [] } of plugin.manifest.provides) {
      for (const name of drivers.filter((driver) => driver !== '*')) {
        const driver: object = plugin.drivers[contract]?.[name] ?? assert.fail(`${contract}/${name} is not there`);
        for (const feature of features) {
          const listed: unknown = Reflect.get(driver, 'features');
          const isThere = typeof Reflect.get(driver, feature) === 'function' || (Array.isArray(listed) && listed.includes(feature));
          assert.ok(isThere, `feature ${feature} of ${contract}/${name} is in the manifest and not in the driver`);
        }
      }
    }
  },
  'ready.within-timeout': async ({ plugin, openedInMs }) => assert.ok(openedInMs < durationMs(plugin.manifest.startTimeout ?? '10s')),
  'restart.starts-again': async ({ plugin, kind, driver }) => {
    assert.ok((await plugin.restart())[kind]?.[driver]);
    assert.ok((await plugin.restart())[kind]?.[driver]);
  },
};

const configuring: Readonly<Record<string, Run>> = {
  'configure.default-settings': async ({ plugin }) => {
    for (const { path, fatal } of (await plugin.activation.configure?.({}, {})) ?? []) assert.ok(!fatal || isRequired(plugin, path), path);
  },
  'configure.invalid-reports-path': async ({ plugin }) => {
    const [name, { type }] = Object.entries(settingsOf(plugin))[0] ?? assert.fail();
    const value = type === 'string' ? 7 : 'certainly not';
    const problems = (await plugin.activation.configure?.({ [name]: value }, {})) ?? [];
    assert.ok(
      problems.some(({ path, fatal, message }) => fatal && path === name && message !== ''),
      `setting ${name} = ${JSON.stringify(value)} was taken: ${JSON.stringify(problems)}`,
    );
  },
};

const testing: Readonly<Record<string, Run>> = {
  'selftest.names-and-hints': async ({ plugin }) => {
    const checks = (await plugin.activation.selfTest?.({ deep: false })) ?? [];
    assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length, 'two checks have one name');
    for (const { name, ok, message, hint } of checks)
      assert.ok(name !== '' && (ok || (message !== '' && hint !== '')), `check ${name} failed without a hint`);
  },
};

const reconciling: Readonly<Record<string, Run>> = {
  'reconcile.empty': async ({ plugin }) => assert.deepEqual(await states(plugin, []), []),
  'reconcile.all-known-ok': async (subject) => {
    await subject.probe?.make('known', subject.ctx());
    assert.deepEqual(await states(subject.plugin, [refOf(subject, 'known')]), ['ok']);
  },
  'reconcile.reports-missing': async (subject) => assert.deepEqual(await states(subject.plugin, [refOf(subject, 'nobody')]), ['missing']),
  'reconcile.reports-orphan': async (subject) => {
    await subject.probe?.make('orphan', subject.ctx());
    assert.deepEqual(await states(subject.plugin, []), ['orphan']);
  },
};

const probing: Readonly<Record<string, (subject: PluginUnderTest, probe: Probe) => Promise<void>>> = {
  'errors.reason-present': async ({ ctx }, probe) => {
    const error = await failureOf(probe.refused(ctx()));
    assert.ok(GantryError.is(error), `${String(error)} is no error of the catalogue`);
    assert.ok(errorCodes.includes(error.code), error.code);
    assert.match(error.reason ?? '', /^[A-Z][A-Z0-9_]+$/, `"${error.message}" has no reason`);
  },
  'errors.no-stack-in-message': async ({ ctx }, probe) => {
    assert.doesNotMatch((await failureOf(probe.refused(ctx()))).message, /\n\s+at |\.[jt]s:\d+/);
  },
  'concurrency.16-keys': async ({ ctx }, probe) => {
    const keys = Array.from({ length: 16 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => probe.make(key, ctx())));
    await Promise.all(keys.map((key) => probe.undo(key, ctx())));
  },
  'concurrency.same-key-serial-or-aborted': async ({ ctx }, probe) => {
    const outcomes = await Promise.allSettled(Array.from({ length: 16 }, () => probe.make('same', ctx())));
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal((outcome.reason as GantryError).code, 'aborted');
    assert.ok(outcomes.some(({ status }) => status === 'fulfilled'));
    await Promise.all(Array.from({ length: 4 }, () => probe.undo('same', ctx())));
  },
  'cancel.observed-within-1s': async ({ ctx }, probe) => {
    const stop = new AbortController();
    const began = performance.now();
    const calls = Array.from({ length: 8 }, (_, index) => probe.make(`cancelled${index}`, ctx(stop.signal)));
    stop.abort();
    await Promise.allSettled(calls);
    await Promise.allSettled([probe.make('late', ctx(stop.signal))]);
    assert.ok(performance.now() - began < 1_000, 'a call went on after its signal fired');
    for (let index = 0; index < 8; index += 1) await probe.make(`cancelled${index}`, ctx());
  },
  'unknown-fields.ignored': async ({ ctx }, probe) => {
    await probe.make('extra', ctx(), { fieldOfALaterVersion: { a: 1 } });
  },
  'restart.same-answer': async (subject) => {
    const { probe, probeAgain, plugin, ctx } = subject;
    const before = await probe?.make('kept', ctx());
    await plugin.restart();
    assert.deepEqual(await probeAgain()?.make('kept', ctx()), before);
  },
  'fds.stable': async ({ ctx, plugin }, probe) => {
    const cycle = async (): Promise<void> => {
      await probe.make('cycle', ctx());
      await failureOf(probe.refused(ctx()));
      await probe.undo('cycle', ctx());
    };
    for (let round = 0; round < 5; round += 1) await cycle();
    const before = readdirSync(`/proc/${plugin.pid}/fd`).length;
    for (let round = 0; round < 50; round += 1) await cycle();
    const left = readdirSync(`/proc/${plugin.pid}/fd`).length - before;
    assert.ok(left < 5, `50 rounds left ${left} descriptors open`);
  },
};

/** In a process of its own, which is asked to end. */
const ending: Readonly<Record<string, Run>> = {
  'stop.stdin-eof-exits': async ({ plugin }) => {
    plugin.endInput?.();
    await exits(plugin.pid, 'its standard input ended');
    await plugin.restart();
  },
  'stop.sigterm-exits': async ({ plugin }) => {
    process.kill(plugin.pid, 'SIGTERM');
    await exits(plugin.pid, 'SIGTERM');
    await plugin.restart();
  },
};

/** The engine kills what is still there then. */
const endsWithinMs = 10_000;

async function exits(pid: number, cause: string): Promise<void> {
  for (const began = performance.now(); performance.now() - began < endsWithinMs; await delay(20)) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
  }
  assert.fail(`it still ran ${endsWithinMs / 1_000} s after ${cause}`);
}

/** In a process of its own, which can be killed. */
const dying: Readonly<Record<string, (subject: PluginUnderTest, probe: Probe) => Promise<void>>> = {
  'restart.kill9-idle': async ({ plugin, probeAgain, ctx }, probe) => {
    const before = await probe.make('kept', ctx());
    process.kill(plugin.pid, 'SIGKILL');
    await plugin.restart();
    assert.deepEqual(await probeAgain()?.make('kept', ctx()), before);
    await probeAgain()?.undo('kept', ctx());
  },
  'restart.kill9-during-calls': async ({ plugin, probeAgain, ctx }, probe) => {
    const calls = Array.from({ length: 16 }, (_, index) => probe.make(`key${index}`, ctx()));
    process.kill(plugin.pid, 'SIGKILL');
    const outcomes = await Promise.allSettled(calls);
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.ok(GantryError.is(outcome.reason), String(outcome.reason));
    await plugin.restart();
    const again = probeAgain();
    for (let index = 0; index < 16; index += 1) await again?.make(`key${index}`, ctx());
    for (let index = 0; index < 16; index += 1) await again?.undo(`key${index}`, ctx());
  },
};

/** What every plugin must do, whatever its drivers are for. */
export const pluginCases: readonly PluginCase[] = [
  ...named(always, () => undefined),
  ...named(configuring, ({ plugin }) => {
    if (plugin.activation.configure === undefined) return 'takes new settings by a new start';
    return Object.keys(settingsOf(plugin)).length === 0 ? 'has no settings' : undefined;
  }),
  ...named(testing, ({ plugin }) => (plugin.activation.selfTest === undefined ? 'has no self-test' : undefined)),
  ...named(reconciling, ({ plugin, kind }) => {
    if (plugin.activation.reconcile === undefined) return 'does not reconcile';
    return refKinds[kind] === undefined ? `what a driver of kind ${kind} has is not reconciled` : undefined;
  }),
  ...named(ending, ({ plugin }) => (plugin.endInput === undefined ? 'has no process of its own here' : undefined)),
  ...Object.entries(dying).map(([name, run]) => ({
    name,
    skip: ({ probe, kind, plugin }: PluginUnderTest) => {
      if (plugin.pid === process.pid) return 'has no process of its own here';
      return probe === undefined ? `no probe for drivers of kind ${kind}` : undefined;
    },
    run: async (subject: PluginUnderTest) => {
      if (subject.probe !== undefined) await run(subject, subject.probe);
    },
  })),
  ...Object.entries(probing).map(([name, run]) => ({
    name,
    skip: ({ probe, kind }: PluginUnderTest) => (probe === undefined ? `no probe for drivers of kind ${kind}` : undefined),
    run: async (subject: PluginUnderTest) => {
      if (subject.probe !== undefined) await run(subject, subject.probe);
    },
  })),
];

function named(runs: Readonly<Record<string, Run>>, skip: PluginCase['skip']): readonly PluginCase[] {
  return Object.entries(runs).map(([name, run]) => ({ name, skip, run }));
}

function settingsOf({ manifest }: OpenedPlugin): Readonly<Record<string, Schema>> {
  return (manifest.settings?.['properties'] ?? {}) as Readonly<Record<string, Schema>>;
}

function isRequired({ manifest }: OpenedPlugin, path: string): boolean {
  return ((manifest.settings?.['required'] ?? []) as readonly string[]).includes(path);
}

function refOf({ kind, driver }: PluginUnderTest, id: string): Ref {
  return { contract: kind, driver, kind: refKinds[kind] ?? 'volume', id };
}

/** What a probe makes, where the engine believes in it by name. */
const refKinds: { readonly [Kind in DriverKind]?: Ref['kind'] } = { volume: 'volume', graph: 'snapshot' };

async function states({ activation }: OpenedPlugin, refs: readonly Ref[]): Promise<readonly string[]> {
  async function* given(): AsyncGenerator<Ref> {
    yield* refs;
  }
  return (await Array.fromAsync(activation.reconcile?.(given()) ?? [])).map(({ state }) => state);
}

async function failureOf(call: Promise<unknown>): Promise<Error> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  return assert.fail(outcome === undefined ? 'what makes no sense was accepted' : `it threw ${JSON.stringify(outcome)}`);
}
