import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCodes, GantryError } from '../errors.ts';
import { checkManifest, durationMs } from '../manifest.ts';
import { type Schema, secretNames } from '../author/index.ts';
import { loadModule, type OpenedPlugin } from './opened-plugin.ts';
import { handshakeCases } from './handshake-cases.ts';
import { isIdle } from './idle.ts';
import { lifeCases } from './life-cases.ts';
import { limitsCases } from './limits-cases.ts';
import { casesOf, type PluginCase, type PluginUnderTest, type Runs, type WithProbe, withProbe } from './plugin-case.ts';
import { refKinds, refStates } from './ref-states.ts';
import { sampleOptions } from './sample-options.ts';

const always: Runs = {
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

const configuring: Runs = {
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
  'configure.live-change': async ({ plugin, probe, ctx }) => {
    const { config, secrets } = plugin.configured ?? assert.fail();
    const { base, good = base } = sampleOptions(plugin.manifest.settings);
    const further = Object.fromEntries(Object.entries(typed(plugin, good)).filter(([name]) => !(name in base)));
    for (const settings of [{ ...config, ...further }, config]) {
      for (const { path, message, fatal } of (await plugin.activation.configure?.(settings, secrets)) ?? [])
        assert.ok(!fatal, `${path}: ${message}`);
      await probe?.make('live', ctx());
      await probe?.undo('live', ctx());
    }
  },
  'configure.secret-not-logged': async ({ plugin, probe, ctx }) => {
    const names = secretNames(plugin.manifest.settings ?? {});
    if (names.length === 0) return 'has no secret';
    const secrets = Object.fromEntries(names.map((name) => [name, secretText]));
    await plugin.activation.configure?.(plugin.configured?.config ?? {}, secrets);
    await probe?.make('told', ctx()).catch(() => {});
    await probe?.refused(ctx()).catch(() => {});
    const told = [JSON.stringify(plugin.log), ...(plugin.process?.printed ?? [])].filter((line) => line.includes(secretText));
    assert.deepEqual(told, []);
    return undefined;
  },
};

const secretText = 'never-to-be-printed';

const testing: Runs = {
  'selftest.names-and-hints': async ({ plugin }) => {
    const checks = (await plugin.activation.selfTest?.({ deep: false })) ?? [];
    assert.equal(new Set(checks.map(({ name }) => name)).size, checks.length, 'two checks have one name');
    for (const { name, ok, message, hint } of checks)
      assert.ok(name !== '' && (ok || (message !== '' && hint !== '')), `check ${name} failed without a hint`);
  },
};

const reconciling: Runs = {
  'reconcile.empty': async (subject) => assert.deepEqual(await states(subject, []), []),
  'reconcile.all-known-ok': async (subject) => {
    await subject.probe?.make('known', subject.ctx());
    assert.deepEqual(await states(subject, ['known']), ['ok']);
  },
  'reconcile.reports-missing': async (subject) => assert.deepEqual(await states(subject, ['nobody']), ['missing']),
  'reconcile.10k-refs-streamed': async (subject) => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `nobody${index}`);
    const answered = (await refStates(subject, ids)) ?? [];
    assert.deepEqual(new Set(answered.map(({ state }) => state)), new Set(['missing']));
    assert.deepEqual(answered.map(({ ref }) => ref.id).toSorted(), ids.toSorted());
  },
  'reconcile.reports-orphan': async (subject) => {
    await subject.probe?.make('orphan', subject.ctx());
    assert.deepEqual(await states(subject, []), ['orphan']);
  },
};

const probing: Runs<WithProbe> = {
  'errors.reason-present': async ({ ctx, probe }) => {
    const error = await failureOf(probe.refused(ctx()));
    assert.ok(GantryError.is(error), `${String(error)} is no error of the catalogue`);
    assert.ok(errorCodes.includes(error.code), error.code);
    assert.match(error.reason ?? '', /^[A-Z][A-Z0-9_]+$/, `"${error.message}" has no reason`);
  },
  'errors.no-stack-in-message': async ({ ctx, probe }) => {
    assert.doesNotMatch((await failureOf(probe.refused(ctx()))).message, /\n\s+at |\.[jt]s:\d+/);
  },
  'concurrency.16-keys': async ({ ctx, probe }) => {
    const keys = Array.from({ length: 16 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => probe.make(key, ctx())));
    await Promise.all(keys.map((key) => probe.undo(key, ctx())));
  },
  'concurrency.same-key-serial-or-aborted': async ({ ctx, probe }) => {
    const outcomes = await Promise.allSettled(Array.from({ length: 16 }, () => probe.make('same', ctx())));
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal((outcome.reason as GantryError).code, 'aborted');
    assert.ok(outcomes.some(({ status }) => status === 'fulfilled'));
    await Promise.all(Array.from({ length: 4 }, () => probe.undo('same', ctx())));
  },
  'cancel.observed-within-1s': async ({ plugin, ctx, probe }) => {
    const stop = new AbortController();
    const began = performance.now();
    const calls = Array.from({ length: 8 }, (_, index) => probe.make(`cancelled${index}`, ctx(stop.signal)));
    stop.abort();
    await Promise.allSettled(calls);
    await Promise.allSettled([probe.make('late', ctx(stop.signal))]);
    assert.ok(performance.now() - began < 1_000, 'a call went on after its signal fired');
    await isIdle(plugin, ctx);
    for (let index = 0; index < 8; index += 1) await probe.make(`cancelled${index}`, ctx());
  },
  'unknown-fields.ignored': async ({ ctx, probe }) => {
    await probe.make('extra', ctx(), { fieldOfALaterVersion: { a: 1 } });
  },
  'restart.same-answer': async (subject) => {
    const { probe, probeAgain, plugin, ctx } = subject;
    const before = await probe?.make('kept', ctx());
    await plugin.restart();
    assert.deepEqual(await probeAgain()?.make('kept', ctx()), before);
  },
  'fds.stable': async ({ ctx, plugin, probe }) => {
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
const ending: Runs = {
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
const dying: Runs<WithProbe> = {
  'restart.kill9-idle': async ({ plugin, probeAgain, ctx, probe }) => {
    const before = await probe.make('kept', ctx());
    process.kill(plugin.pid, 'SIGKILL');
    await plugin.restart();
    assert.deepEqual(await probeAgain()?.make('kept', ctx()), before);
    await probeAgain()?.undo('kept', ctx());
  },
  'restart.kill9-during-calls': async ({ plugin, probeAgain, ctx, probe }) => {
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
  ...casesOf(always, (subject) => subject),
  ...handshakeCases,
  ...casesOf(configuring, (subject) => {
    const { plugin } = subject;
    if (plugin.activation.configure === undefined || plugin.configured === undefined) return 'takes new settings by a new start';
    return Object.keys(settingsOf(plugin)).length === 0 ? 'has no settings' : subject;
  }),
  ...casesOf(testing, (subject) => (subject.plugin.activation.selfTest === undefined ? 'has no self-test' : subject)),
  ...casesOf(reconciling, (subject) => {
    if (subject.plugin.activation.reconcile === undefined) return 'does not reconcile';
    return refKinds[subject.kind] === undefined ? `what a driver of kind ${subject.kind} has is not reconciled` : subject;
  }),
  ...casesOf(ending, (subject) => (subject.plugin.endInput === undefined ? 'has no process of its own here' : subject)),
  ...casesOf(dying, (subject) => (subject.plugin.process === undefined ? 'has no process of its own here' : withProbe(subject))),
  ...casesOf(probing, withProbe),
  ...lifeCases,
  ...limitsCases,
];

function settingsOf({ manifest }: OpenedPlugin): Readonly<Record<string, Schema>> {
  return (manifest.settings?.['properties'] ?? {}) as Readonly<Record<string, Schema>>;
}

/** Samples are texts, as options are; settings have types. */
function typed(plugin: OpenedPlugin, settings: Readonly<Record<string, string>>): Readonly<Record<string, unknown>> {
  const isText = (name: string): boolean => settingsOf(plugin)[name]?.type === 'string';
  return Object.fromEntries(Object.entries(settings).map(([name, text]) => [name, isText(name) ? text : (JSON.parse(text) as unknown)]));
}

function isRequired({ manifest }: OpenedPlugin, path: string): boolean {
  return ((manifest.settings?.['required'] ?? []) as readonly string[]).includes(path);
}

async function states(subject: PluginUnderTest, ids: readonly string[]): Promise<readonly string[]> {
  return (await refStates(subject, ids))?.map(({ state }) => state) ?? [];
}

async function failureOf(call: Promise<unknown>): Promise<Error> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  return assert.fail(outcome === undefined ? 'what makes no sense was accepted' : `it threw ${JSON.stringify(outcome)}`);
}
