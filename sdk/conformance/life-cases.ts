import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../errors.ts';
import type { StateEntry } from '../plugin.ts';
import type { OpenedPlugin, PluginWire } from './opened-plugin.ts';
import type { PluginProcess } from '../serve/plugin-process.ts';
import { casesOf, type PluginCase, type Runs, type WithProbe, withProbe } from './plugin-case.ts';
import type { Probe } from './probes.ts';
import { refStates } from './ref-states.ts';

type Wired = WithProbe & { readonly wire: PluginWire };
type Separate = WithProbe & { readonly process: PluginProcess };

const draining: Runs<Wired> = {
  'drain.finishes-inflight': async (subject) => {
    const { probe, ctx } = subject;
    const keys = Array.from({ length: 16 }, (_, index) => `key${index}`);
    const calls = Promise.allSettled(keys.map((key) => probe.make(key, ctx())));
    const inFlight = await drain(subject);
    const outcomes = await calls;
    if (inFlight === undefined) return 'has no Drain';
    assert.equal(inFlight, 0, 'its Drain ended while calls were under way');
    for (const outcome of outcomes) if (outcome.status === 'rejected') assert.equal(codeOf(outcome.reason), 'unavailable');
    await subject.wire.service.resume({}, ctx());
    for (const key of keys) await probe.make(key, ctx());
    return undefined;
  },
  'drain.rejects-new': async (subject) => {
    const { probe, ctx, wire } = subject;
    if ((await drain(subject)) === undefined) return 'has no Drain';
    await assert.rejects(probe.make('late', ctx()), (error) => codeOf(error) === 'unavailable');
    await wire.service.ping({}, ctx());
    return undefined;
  },
  'resume.after-drain': async (subject) => {
    const { probe, ctx, wire } = subject;
    if ((await drain(subject)) === undefined) return 'has no Drain';
    await wire.service.resume({}, ctx());
    await probe.make('after', ctx());
    await probe.undo('after', ctx());
    return undefined;
  },
};

const dying: Runs<Separate> = {
  'restart.kill9-during-each-method': async (subject) => {
    for (const method of ['make', 'use', 'release', 'undo'] as const) {
      for (const afterMs of [0, 2, 20]) await killedDuring(subject, method, afterMs);
    }
  },
};

const upgrading: Runs<WithProbe> = {
  'upgrade.parallel-two-generations': async (subject) => {
    const { plugin, probe, probeOf, ctx } = subject;
    if (plugin.beside === undefined) return 'runs once here';
    if (plugin.manifest.state?.upgrade === 'exclusive') return 'its generations may not run at once';
    const made = await probe.make('kept', ctx());
    {
      await using second = await plugin.beside();
      const after = probeOf(second);
      assert.notEqual(await after?.has?.('kept', ctx()), false, 'the next generation has not what this one made');
      const states = await refStates({ ...subject, plugin: second }, ['kept']);
      if (states !== undefined)
        assert.deepEqual(
          states.map(({ state }) => state),
          ['ok'],
          'the next generation has not what this one made',
        );
      assert.deepEqual(await after?.make('kept', ctx()), made, 'the next generation answers something else');
      assert.deepEqual(await probe.make('kept', ctx()), made, 'this generation minds the next one');
    }
    await probe.use?.('kept', ctx());
    await probe.release?.('kept', ctx());
    await probe.undo('kept', ctx());
    return undefined;
  },
  'upgrade.state-rollback': async ({ plugin, probe, probeAgain, ctx }) => {
    if (plugin.state === undefined) return 'its state cannot be taken back here';
    await probe.make('before', ctx());
    const kept = await plugin.state.list('');
    await probe.make('later', ctx());
    if (kept.length === 0 && (await plugin.state.list('')).length === 0) return 'keeps no state';
    await putBack(plugin.state, kept);
    await plugin.restart();
    for (const key of ['before', 'later']) {
      await probeAgain()?.make(key, ctx());
      await probeAgain()?.undo(key, ctx());
    }
    return undefined;
  },
};

/** How a plugin ends, and what stands beside it or follows it. */
export const lifeCases: readonly PluginCase[] = [
  ...casesOf(draining, (subject) => {
    const probed = withProbe(subject);
    const { wire } = subject.plugin;
    if (typeof probed === 'string') return probed;
    return wire === undefined ? 'is called without a wire here' : { ...probed, wire };
  }),
  ...casesOf(dying, (subject) => {
    const probed = withProbe(subject);
    const { process } = subject.plugin;
    if (typeof probed === 'string') return probed;
    return process === undefined ? 'has no process of its own here' : { ...probed, process };
  }),
  ...casesOf(upgrading, withProbe),
];

async function drain({ wire, ctx }: Wired): Promise<number | undefined> {
  try {
    return (await wire.service.drain({ deadlineMs: 10_000, reason: 'conformance' }, ctx())).inFlight;
  } catch (error) {
    if (codeOf(error) === 'not_implemented') return undefined;
    throw error;
  }
}

async function killedDuring({ plugin, probeAgain, ctx }: Separate, method: 'make' | 'use' | 'release' | 'undo', afterMs: number) {
  const steps = ['make', 'use', 'release', 'undo'] as const;
  const key = `${method}${afterMs}`;
  for (const step of steps) {
    const call = (): Promise<unknown> => callOf(probeAgain(), step)?.(key, ctx()) ?? Promise.resolve();
    if (step === method) {
      const interrupted = call().catch(() => {});
      if (afterMs > 0) await sleep(afterMs);
      plugin.process?.signal('SIGKILL');
      await interrupted;
      await plugin.restart();
    }
    await call();
  }
  assert.ok((await probeAgain()?.has?.(key, ctx())) !== true, `${key} is still there`);
}

function callOf(probe: Probe | undefined, method: 'make' | 'use' | 'release' | 'undo') {
  const found = probe?.[method];
  return found === undefined ? undefined : found.bind(probe);
}

async function putBack(state: NonNullable<OpenedPlugin['state']>, kept: readonly StateEntry[]): Promise<void> {
  const gone = (await state.list('')).map(({ key }) => ({ key, value: undefined }));
  await state.put([...gone, ...kept.map(({ key, value }) => ({ key, value }))]);
}
