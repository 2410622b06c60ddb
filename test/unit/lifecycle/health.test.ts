import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Health, Healthcheck } from '@gantry/sdk/engine';
import { HealthMonitor, healthCommand } from '../../../core/lifecycle/health/monitor.ts';

const ms = 1e6;

/** Runs a monitor over scripted probe results and answers the status after each. */
async function statuses(healthcheck: Healthcheck, exits: readonly (number | 'hang')[]): Promise<readonly Health[]> {
  const seen: Health[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let next = 0;
  using _monitor = new HealthMonitor({
    healthcheck,
    probe: async ({ signal }) => {
      const exit = exits[next];
      next += 1;
      if (exit !== 'hang') return { exitCode: exit ?? 0, output: `probe ${next}` };
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    onChange: (health) => {
      seen.push(health);
      if (seen.length === exits.length) resolve();
    },
  });
  const keepAlive = setTimeout(() => {}, 5_000);
  await promise;
  clearTimeout(keepAlive);
  return seen;
}

test('HealthMonitor needs `retries` failures in a row to call a container unhealthy, and one success to call it healthy', async () => {
  const seen = await statuses({ Interval: ms, Retries: 2 }, [0, 1, 0, 1, 1, 0]);
  assert.deepEqual(
    seen.map(({ status, failingStreak }) => `${status} ${failingStreak}`),
    ['healthy 0', 'healthy 1', 'healthy 0', 'healthy 1', 'unhealthy 2', 'healthy 0'],
  );
});

test('HealthMonitor keeps the last five results', async () => {
  const last = (await statuses({ Interval: ms }, [0, 0, 0, 0, 0, 0, 0])).at(-1);
  assert.deepEqual(
    last?.log.map(({ output }) => output),
    ['probe 3', 'probe 4', 'probe 5', 'probe 6', 'probe 7'],
  );
});

test('HealthMonitor forgives failures in the start period', async () => {
  const seen = await statuses({ Interval: ms, StartInterval: ms, StartPeriod: 60_000 * ms, Retries: 1 }, [1, 1, 0, 1]);
  assert.deepEqual(
    seen.map(({ status }) => status),
    ['starting', 'starting', 'healthy', 'unhealthy'],
  );
});

test('HealthMonitor gives up on a probe after its timeout', async () => {
  const [health] = await statuses({ Interval: ms, Timeout: 5 * ms, Retries: 1 }, ['hang']);
  assert.deepEqual(
    [health?.status, health?.log[0]?.exitCode, health?.log[0]?.output],
    ['unhealthy', -1, 'Health check exceeded timeout (0.005s)'],
  );
});

test('healthCommand() knows CMD, CMD-SHELL, NONE and nothing', () => {
  const shell = ['/bin/sh', '-c'];
  assert.deepEqual(
    [['CMD', 'a', 'b'], ['CMD-SHELL', 'a b'], ['NONE'], []].map((Test) => healthCommand({ Test }, shell)),
    [['a', 'b'], ['/bin/sh', '-c', 'a b'], undefined, undefined],
  );
});
