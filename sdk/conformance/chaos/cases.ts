import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, GantryError, messageOf } from '../../errors.ts';
import { casesOf, type PluginCase, type Runs, type WithProbe, withProbe } from '../plugin-case.ts';
import { refStates } from '../ref-states.ts';
import type { Fault } from './fault.ts';
import type { ChaosProxy } from './proxy.ts';
import { oneOf, randomFrom } from './random.ts';

type Chaotic = WithProbe & { readonly chaos: ChaosProxy };

const lost: Readonly<Record<string, readonly Fault[]>> = {
  'call-lost': [{ kind: 'lose-call' }],
  'answer-lost': [{ kind: 'lose-answer' }],
  'frame-truncated': [{ kind: 'truncate' }],
  'cut-mid-call': [0, 1, 3, 10].map((afterMs) => ({ kind: 'cut', afterMs })),
  'called-twice': [{ kind: 'duplicate' }],
  'called-twice-at-once': [{ kind: 'duplicate', together: true }],
};

/** Each step of an object's life meets with the fault and is asked for again, as the engine does; what is there afterwards is what should be. */
const eachStep: Runs<Chaotic> = Object.fromEntries(
  Object.entries(lost).map(([name, faults]) => [
    name,
    async (subject: Chaotic) => {
      for (const [index, fault] of faults.entries()) await wholeLife(subject, `life${index}`, fault);
    },
  ]),
);

const together: Runs<Chaotic> = {
  'slow-answers': async (subject) => {
    subject.chaos.inject(`${subject.kind}.*`, { kind: 'delay', ms: 100 });
    const keys = keysUpTo(8);
    await Promise.all(keys.map((key) => wholeLife(subject, key, undefined)));
  },
  'answers-reordered': async (subject) => {
    const { probe, chaos, kind, ctx } = subject;
    const keys = keysUpTo(16);
    chaos.inject(`${kind}.*`, { kind: 'reorder', calls: keys.length });
    const answers = await Promise.all(keys.map((key) => again(() => probe.make(key, ctx()))));
    chaos.calm();
    for (const [index, key] of keys.entries())
      assert.deepEqual(answers[index], await probe.make(key, ctx()), `the answer for ${key} is another's`);
    await Promise.all(keys.map((key) => probe.undo(key, ctx())));
    await isThere(subject, keys, false);
  },
  storm: async (subject) => {
    const seed = 20_260_101;
    const { chaos } = subject;
    const outcomes = await Promise.allSettled(keysUpTo(8).map((key, index) => randomLife(subject, key, randomFrom(seed + index))));
    chaos.calm();
    for (const life of outcomes)
      if (life.status === 'rejected') throw new Error(`seed ${seed}: ${messageOf(life.reason)}`, { cause: life.reason });
    const lives = outcomes.flatMap((life) => (life.status === 'fulfilled' ? [life.value] : []));
    assert.ok(chaos.met > 0, 'no call met with a fault');
    for (const [index, key] of keysUpTo(8).entries()) {
      const life = lives[index] ?? { isMade: false, isUsed: false };
      await isThere(subject, [key], life.isMade);
      await endLife(subject, key, life);
    }
    await isThere(subject, keysUpTo(8), false);
  },
};

/** What every driver must bear between itself and the engine: connections that break, calls that come twice, answers in another order. */
export const chaosCases: readonly PluginCase[] = casesOf({ ...eachStep, ...together }, (subject) => {
  const probed = withProbe(subject);
  const { chaos } = subject.plugin;
  if (typeof probed === 'string') return probed;
  return chaos === undefined ? 'no proxy stands between here' : { ...probed, chaos };
});

const storm: readonly [Fault, ...Fault[]] = [
  { kind: 'lose-call' },
  { kind: 'lose-answer' },
  { kind: 'truncate' },
  { kind: 'cut', afterMs: 1 },
  { kind: 'duplicate' },
  { kind: 'duplicate', together: true },
  { kind: 'delay', ms: 20 },
  { kind: 'reorder', calls: 3 },
];

async function wholeLife(subject: Chaotic, key: string, fault: Fault | undefined): Promise<void> {
  const { probe, ctx } = subject;
  const made = await meeting(subject, fault, () => probe.make(key, ctx()));
  assert.deepEqual(await again(() => probe.make(key, ctx())), made, 'asked again, it answers something else');
  await isThere(subject, [key], true);
  const used = await meeting(subject, fault, async () => probe.use?.(key, ctx()));
  assert.deepEqual(await again(async () => probe.use?.(key, ctx())), used, 'asked again, it describes something else');
  await meeting(subject, fault, async () => probe.release?.(key, ctx()));
  await meeting(subject, fault, () => probe.undo(key, ctx()));
  await isThere(subject, [key], false);
}

/** The next call meets with the fault. */
async function meeting<Answer>({ chaos, kind }: Chaotic, fault: Fault | undefined, call: () => Promise<Answer>): Promise<Answer> {
  if (fault !== undefined) chaos.inject(`${kind}.*`, fault, 1);
  return await again(call);
}

interface Life {
  readonly isMade: boolean;
  readonly isUsed: boolean;
}

async function randomLife(subject: Chaotic, key: string, random: () => number): Promise<Life> {
  const { probe, ctx } = subject;
  let life: Life = { isMade: false, isUsed: false };
  for (let step = 0; step < 25; step += 1) {
    if (random() < 0.4) subject.chaos.inject(`${subject.kind}.*`, oneOf(random, storm), 1);
    if (!life.isMade) {
      await again(() => probe.make(key, ctx()));
      life = { isMade: true, isUsed: false };
    } else if (life.isUsed) {
      await again(async () => probe.release?.(key, ctx()));
      life = { isMade: true, isUsed: false };
    } else if (random() < 0.5) {
      await again(async () => probe.use?.(key, ctx()));
      life = { isMade: true, isUsed: true };
    } else {
      await again(() => probe.undo(key, ctx()));
      life = { isMade: false, isUsed: false };
    }
  }
  return life;
}

async function endLife({ probe, ctx }: Chaotic, key: string, { isMade, isUsed }: Life): Promise<void> {
  if (isUsed) await again(async () => probe.release?.(key, ctx()));
  if (isMade) await again(() => probe.undo(key, ctx()));
}

/** By what the driver says of each, and of what the engine believes in. */
async function isThere(subject: Chaotic, keys: readonly string[], wanted: boolean): Promise<void> {
  const { probe, ctx } = subject;
  for (const key of keys) {
    const has = await again(async () => probe.has?.(key, ctx()));
    if (has !== undefined) assert.equal(has, wanted, `${key} is ${has ? 'there' : 'not there'}`);
  }
  const states = await again(() => refStates(subject, keys));
  if (states === undefined) return;
  const mine = states.filter(({ ref }) => keys.includes(ref.id)).map(({ state }) => state);
  assert.deepEqual(
    mine,
    keys.map(() => (wanted ? 'ok' : 'missing')),
    'what it has when it is asked to compare',
  );
}

const attempts = 30;

/** As the engine does it: again when the connection broke, or when the plugin is at another call for the same. */
async function again<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const passes = GantryError.is(error) && (error.reason === 'CONNECTION_LOST' || error.reason === 'DRAINING');
      if (attempt === attempts || !(passes || codeOf(error) === 'aborted' || codeOf(error) === 'cancelled')) throw error;
      await sleep(attempt * 5);
    }
  }
}

function keysUpTo(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `key${index}`);
}
