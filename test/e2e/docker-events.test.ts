import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { missing: spawnSync('docker', ['--version']).status === 0 ? undefined : 'needs the docker CLI' });

const timeout = 120_000;
const folder = mkdtempSync(join(tmpdir(), 'events-'));
let daemon: Daemon;
const { docker, refused } = dockerCli(() => daemon);
before(async () => {
  daemon = await Daemon.start({ folder });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(() => daemon[Symbol.asyncDispose]());

interface Message {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

/** `docker events WORDS` in the background, its messages as they come. */
class Watcher implements Disposable {
  readonly seen: Message[] = [];
  readonly #child: ChildProcess;

  constructor(words: readonly string[], onMessage: (message: Message) => void = () => undefined) {
    const env = { ...process.env, ...new DockerApi(daemon.places.socketPath).environment };
    // From a moment ago: what comes before the CLI is connected is told all the same.
    const since = ['--since', String(Date.now() / 1e3)];
    const child = spawn('docker', ['events', ...since, '--format', '{{json .}}', ...words], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as Message;
      this.seen.push(message);
      onMessage(message);
    });
    this.#child = child;
  }

  get actions(): readonly string[] {
    return this.seen.map(({ Action }) => Action);
  }

  async until(claim: () => boolean): Promise<void> {
    for (const deadline = Date.now() + timeout / 2; !claim(); await sleep(20))
      assert.ok(Date.now() < deadline, JSON.stringify(this.actions));
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

test('a watchdog that listens to docker events starts again what dies, each time', { timeout }, async () => {
  await docker('run', '-d', '--name', 'guarded', '--label', 'watch=me', '--network', 'none', 'busybox', 'sleep', '1000');
  await docker('run', '-d', '--name', 'other', '--network', 'none', 'busybox', 'sleep', '1000');
  const failures: unknown[] = [];
  using watchdog = new Watcher(['--filter', 'event=die', '--filter', 'label=watch=me'], ({ Actor }) => {
    docker('start', Actor.ID).catch((error: unknown) => failures.push(error));
  });
  const pids = new Set<string>();
  for (let round = 1; round <= 5; round += 1) {
    const pid = await docker('inspect', '-f', '{{.State.Pid}}', 'guarded');
    pids.add(pid);
    process.kill(Number(pid), 'SIGKILL');
    await watchdog.until(() => watchdog.seen.length === round);
    for (let tries = 0; ['0', pid].includes(await docker('inspect', '-f', '{{.State.Pid}}', 'guarded')); tries += 1)
      assert.ok(tries < 200, 'it was not started again');
  }
  await docker('kill', 'other');
  await sleep(300);
  assert.deepEqual([failures, watchdog.actions, pids.size], [[], Array.from({ length: 5 }, () => 'die'), 5]);
  assert.deepEqual(
    watchdog.seen.map(({ Actor: { Attributes } }) => `${Attributes['name']} ${Attributes['image']} ${Attributes['exitCode']}`),
    Array.from({ length: 5 }, () => 'guarded busybox 137'),
  );
  await docker('rm', '-f', 'guarded', 'other');
});

/** What is heard of one life, by filters; of what comes often or is not ours to order, only that it came. */
const filters: readonly { readonly words: readonly string[]; readonly hears: readonly string[] }[] = [
  { words: ['container=seen'], hears: ['create', 'start', 'pause', 'unpause', 'rename', 'update', 'kill', 'die', 'destroy'] },
  { words: ['type=container', 'event=start', 'event=die'], hears: ['start', 'die'] },
  { words: ['image=busybox', 'event=create'], hears: ['create'] },
  { words: ['image=nope'], hears: [] },
  { words: ['label=team=a', 'event=destroy'], hears: ['destroy'] },
  { words: ['label=team', 'label=role=x', 'event=destroy'], hears: [] },
  { words: ['type=volume'], hears: ['create', 'mount', 'unmount', 'destroy'] },
  { words: ['volume=data-of-seen', 'event=mount'], hears: ['mount'] },
  { words: ['type=network'], hears: ['create', 'connect', 'disconnect', 'destroy'] },
  { words: ['network=net-of-seen', 'event=connect'], hears: ['connect'] },
  { words: ['type=image'], hears: ['tag', 'untag'] },
  { words: ['event=health_status'], hears: ['health_status: healthy'] },
  { words: ['event=exec_create', 'label=team=a'], hears: ['exec_create: cat /etc/group'] },
  { words: ['scope=local', 'event=rename'], hears: ['rename', 'rename'] },
  { words: ['scope=swarm'], hears: [] },
  { words: ['type=daemon'], hears: [] },
];
/** What a health check does is heard as well. */
const isCheck = (action: string) => action.startsWith('exec_create: /bin/sh -c true');
const isNoise = (action: string) => /^(health_status|exec_)/.test(action);

test('docker events hears of one life what its filters ask for, in order, while it happens and afterwards', { timeout }, async () => {
  const since = String(Date.now() / 1e3);
  const watchers = filters.map(({ words }) => new Watcher(words.flatMap((word) => ['--filter', word])));
  using end = new Watcher(['--filter', 'event=untag']);
  await docker('volume', 'create', 'data-of-seen');
  await docker('network', 'create', 'net-of-seen');
  const healthy = ['--health-cmd', 'true', '--health-interval', '1s'];
  const where = ['-v', 'data-of-seen:/data', '--network', 'net-of-seen', '-l', 'team=a'];
  await docker('run', '-d', '--name', 'seen', ...where, ...healthy, 'busybox', 'sleep', '1000');
  for (let tries = 0; (await docker('inspect', '-f', '{{.State.Health.Status}}', 'seen')) !== 'healthy'; tries += 1) assert.ok(tries < 500);
  await docker('exec', 'seen', 'cat', '/etc/group');
  await docker('pause', 'seen');
  await docker('unpause', 'seen');
  await docker('rename', 'seen', 'seen-again');
  await docker('rename', 'seen-again', 'seen');
  await docker('update', '--cpu-shares', '512', 'seen');
  await docker('rm', '-f', 'seen');
  await docker('network', 'rm', 'net-of-seen');
  await docker('volume', 'rm', 'data-of-seen');
  await docker('tag', 'busybox', 'other:1');
  await docker('rmi', 'other:1');
  await end.until(() => end.seen.length === 1);
  await sleep(500);
  const until = String(Date.now() / 1e3);
  for (const [index, { words, hears }] of filters.entries()) {
    const replayed = await docker(
      'events',
      '--since',
      since,
      '--until',
      until,
      '--format',
      '{{.Action}}',
      ...words.flatMap((word) => ['--filter', word]),
    );
    const [first = ''] = words;
    const keep = (actions: readonly string[]): readonly string[] => {
      const told = actions.filter((action) => !isCheck(action));
      if (first === 'container=seen') return [...new Set(told.filter((action) => !isNoise(action)))];
      return told;
    };
    assert.deepEqual(keep(watchers[index]?.actions ?? []), hears, words.join(' '));
    assert.deepEqual(keep(replayed.split('\n').filter((line) => line !== '')), hears, `${words.join(' ')}, afterwards`);
  }
  for (const watcher of watchers) watcher[Symbol.dispose]();
});

test('docker events refuses filters and times that mean nothing', { timeout }, async () => {
  assert.match(await refused('events', '--filter', 'colour=red', '--until', '1s'), /invalid filter 'colour'/);
  assert.match(await refused('events', '--since', 'nonsense'), /nonsense/);
});
