import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fill, removeAll } from './containers.ts';
import { requestRate } from './requests.ts';
import type { Bench, Measured, Scenario } from './scenarios.ts';
import { sample, summarise } from './statistics.ts';

/** At least as many as Docker's daemon answers beside it. */
const asMany = { peer: 'dockerd', atLeast: 1 } as const;
const fifth = { peer: 'dockerd', atMost: 0.2 } as const;

/** Requests that tools repeat, on one connection and on sixteen, and the four steps of a short life; the lists of 200 are in `scenarios.ts`. */
export const apiScenarios: Readonly<Record<string, Scenario>> = {
  version: { unit: 'req/s', target: { atLeast: 2_000 }, versus: asMany, measure: (bench) => rate(bench, '/version') },
  'version-16': { unit: 'req/s', target: { atLeast: 2_000 }, versus: asMany, measure: (bench) => rate(bench, '/version', 16) },
  'ps-0': { unit: 'req/s', target: { atLeast: 5_000 }, versus: asMany, measure: (bench) => rateOfNone(bench, 1) },
  'ps-0-16': { unit: 'req/s', target: { atLeast: 5_000 }, versus: asMany, measure: (bench) => rateOfNone(bench, 16) },
  inspect: { unit: 'req/s', target: { atLeast: 4_000 }, versus: asMany, measure: (bench) => rateOfOne(bench, 1) },
  'inspect-16': { unit: 'req/s', target: { atLeast: 4_000 }, versus: asMany, measure: (bench) => rateOfOne(bench, 16) },
  'container-life': { unit: 'ms', target: { atMost: 40 }, versus: fifth, measure: (bench) => stepOf(bench) },
  'container-create': { unit: 'ms', target: { atMost: 10 }, measure: (bench) => stepOf(bench, 'create') },
  'container-start': { unit: 'ms', target: { atMost: 40 }, measure: (bench) => stepOf(bench, 'start') },
  'container-wait': { unit: 'ms', target: { atMost: 10 }, measure: (bench) => stepOf(bench, 'wait') },
  'container-remove': { unit: 'ms', target: { atMost: 10 }, measure: (bench) => stepOf(bench, 'remove') },
};

/** The command line as a user starts it: what is compiled is kept from the first time on. */
export const commandLineScenarios: Readonly<Record<string, Scenario>> = {
  'cli-start': { unit: 'ms', target: { atMost: 60 }, measure: (bench) => commandLine(bench, ['--version']) },
  'cli-help': { unit: 'ms', target: { atMost: 60 }, measure: (bench) => commandLine(bench, ['--help']) },
  'cli-ps': { unit: 'ms', target: { atMost: 100 }, measure: (bench) => commandLine(bench, ['ps']) },
};

/** Requests per second on so many connections at once. */
export async function rate({ engine: { api }, samples }: Bench, path: string, connections = 1): Promise<Measured> {
  const onAll = async (durationMs: number): Promise<number> => {
    const each = await Promise.all(Array.from({ length: connections }, () => requestRate(api.socketPath, path, durationMs)));
    return each.reduce((sum, one) => sum + one, 0);
  };
  const values: number[] = [];
  await onAll(500);
  for (let round = 0; round < samples(5); round += 1) values.push(await onAll(1000));
  return { values };
}

async function rateOfNone(bench: Bench, connections: number): Promise<Measured> {
  await removeAll(bench.engine.api);
  return rate(bench, '/containers/json', connections);
}

async function rateOfOne(bench: Bench, connections: number): Promise<Measured> {
  await fill(bench.engine.api, 1);
  const [first] = await bench.engine.api.json<readonly { readonly Id: string }[]>('GET', '/containers/json?all=1');
  return rate(bench, `/containers/${first?.Id ?? ''}/json`, connections);
}

type Step = 'create' | 'start' | 'wait' | 'remove';

/** A short container's whole life, of which one step counts or all; without a network, which has floors of its own. */
async function stepOf({ engine: { api }, samples }: Bench, counted?: Step): Promise<Measured> {
  const json = { Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
  let id = '';
  const steps: Readonly<Record<Step, () => Promise<unknown>>> = {
    create: async () => (id = (await api.json<{ readonly Id: string }>('POST', '/containers/create', { json })).Id),
    start: () => api.json('POST', `/containers/${id}/start`),
    wait: () => api.json('POST', `/containers/${id}/wait`),
    remove: () => api.json('DELETE', `/containers/${id}`),
  };
  const values: number[] = [];
  for (let round = -3; round < samples(30); round += 1) {
    let counts = 0;
    for (const [step, work] of Object.entries(steps)) {
      const [spent = Number.NaN] = await sample(1, work, 0);
      if (step === (counted ?? step)) counts += spent;
    }
    if (round >= 0) values.push(counts);
  }
  return { values };
}

const program = join(import.meta.dirname, '../../core/bin/gantry.mjs');

async function commandLine({ engine: { api }, samples }: Bench, words: readonly string[]): Promise<Measured> {
  const run = async (...command: readonly string[]): Promise<void> => {
    const child = spawn(process.execPath, command, { stdio: 'ignore' });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${String(code)}`);
  };
  const bare = summarise(await sample(samples(15), () => run('--eval', '0')));
  const values = await sample(samples(15), () => run(program, '-H', `unix://${api.socketPath}`, ...words));
  return { values, note: `Node alone ${bare.median.toFixed(1)} ms` };
}
