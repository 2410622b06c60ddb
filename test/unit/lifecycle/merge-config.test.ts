import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateName } from '../../../core/lifecycle/name-generator.ts';
import { mergeConfig } from '../../../core/lifecycle/merge-config.ts';
import { nextRestartDelay, wantsRestart, wantsStartAtBoot } from '../../../core/lifecycle/restart-policy.ts';

const image = {
  Entrypoint: ['/entry'],
  Cmd: ['serve'],
  Env: ['PATH=/bin', 'A=1'],
  Labels: { a: '1', 'run.oci.handler': 'x' },
  ExposedPorts: { '80/tcp': {} },
};

const commands: readonly (readonly [string, object, object])[] = [
  ['nothing: the image decides', {}, { Entrypoint: ['/entry'], Cmd: ['serve'] }],
  ['a command: the entrypoint stays', { Cmd: ['x'] }, { Entrypoint: ['/entry'], Cmd: ['x'] }],
  ['an entrypoint: the image command is void', { Entrypoint: ['/e'] }, { Entrypoint: ['/e'], Cmd: null }],
  ['both', { Entrypoint: ['/e'], Cmd: ['x'] }, { Entrypoint: ['/e'], Cmd: ['x'] }],
  ['an emptied entrypoint with a command', { Entrypoint: [''], Cmd: ['x'] }, { Entrypoint: null, Cmd: ['x'] }],
];
for (const [name, user, expected] of commands) {
  test(`mergeConfig() given ${name}`, () => {
    const { Entrypoint, Cmd } = mergeConfig(user, image);
    assert.deepEqual({ Entrypoint, Cmd }, expected);
  });
}

test('mergeConfig() fails when there is nothing to run', () => {
  assert.throws(() => mergeConfig({}, {}), { message: 'no command specified' });
});

test('mergeConfig() merges variables by name, adds up ports, and takes no orders from image labels', () => {
  const { Env, ExposedPorts, Labels } = mergeConfig(
    { Env: ['A=2', 'B'], ExposedPorts: { '81/tcp': {} }, Labels: { 'run.oci.keep': 'mine' } },
    image,
  );
  assert.deepEqual(
    { Env, ExposedPorts, Labels },
    { Env: ['PATH=/bin', 'A=2', 'B'], ExposedPorts: { '80/tcp': {}, '81/tcp': {} }, Labels: { a: '1', 'run.oci.keep': 'mine' } },
  );
});

test('nextRestartDelay() doubles to a minute and forgets after ten seconds', () => {
  let delay = 0;
  const delays = Array.from({ length: 12 }, () => (delay = nextRestartDelay(delay, 5)));
  assert.deepEqual(delays, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  assert.equal(nextRestartDelay(60_000, 10_000), 100);
});

test('wantsRestart() and wantsStartAtBoot() follow the policy', () => {
  const exit = { exitCode: 1, restartCount: 0, stoppedByUser: false };
  assert.deepEqual(
    [
      wantsRestart({}, exit),
      wantsRestart({ Name: 'always' }, exit),
      wantsRestart({ Name: 'always' }, { ...exit, stoppedByUser: true }),
      wantsRestart({ Name: 'on-failure' }, exit),
      wantsRestart({ Name: 'on-failure' }, { ...exit, exitCode: 0 }),
      wantsRestart({ Name: 'on-failure', MaximumRetryCount: 2 }, { ...exit, restartCount: 2 }),
    ],
    [false, true, false, true, false, false],
  );
  const boot = { wasRunning: false, stoppedByUser: true, hasRun: true };
  assert.deepEqual([wantsStartAtBoot({ Name: 'always' }, boot), wantsStartAtBoot({ Name: 'unless-stopped' }, boot)], [true, false]);
});

test('generateName() gives two words and falls back to the short id', () => {
  assert.match(
    generateName('f'.repeat(64), () => false),
    /^[a-z]+_[a-z]+$/,
  );
  assert.equal(
    generateName('f'.repeat(64), () => true),
    'f'.repeat(12),
  );
});
