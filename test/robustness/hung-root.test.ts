import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { missing } from '../support/disks/squashfs.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { createContainer, expect, removeContainer, runExec, until } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

// A container's root is a FUSE file system whose program stops answering: it costs that container, and nobody else anything.
const skip = missing('/usr/bin/fuse-overlayfs') ?? false;
let daemon: Daemon;

before(async () => {
  if (skip !== false) return;
  const folder = mkdtempSync(join(tmpdir(), 'hung-'));
  daemon = await Daemon.start({ folder, flags: ['--storage-driver', 'fuse-overlayfs'] });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  await runs('well');
});
after(() => daemon?.[Symbol.asyncDispose]());

test('an exec in a container whose root hangs is refused after a while, and meanwhile everybody else is served', { skip }, async () => {
  await using hung = await hangs('hung');
  const asked = daemon.api.call('POST', '/containers/hung/exec', { json: { Cmd: ['true'], User: 'nobody' } });
  await othersAreWell();
  const { status, body } = await asked;
  assert.deepEqual([status, /does not answer/.test(body)], [503, true], body);
  const began = performance.now();
  await expect(daemon.api, 'POST', '/containers/hung/exec', { statuses: [503], json: { Cmd: ['true'], User: 'nobody' } });
  assert.ok(performance.now() - began < 2_000, 'a second one waits for nothing');
  hung.goOn();
  await until(async () => (await daemon.api.call('POST', '/containers/hung/exec', { json: { Cmd: ['true'] } })).status === 201);
});

test('copying out of a container whose root hangs takes nobody else his turn', { skip }, async () => {
  await using _hung = await hangs('hung');
  const leaving = new AbortController();
  const { signal } = leaving;
  const copying = Array.from({ length: 4 }, () => daemon.api.open('GET', '/containers/hung/archive?path=/etc', { signal }));
  const outcomes = Promise.allSettled(copying);
  await othersAreWell();
  const began = performance.now();
  const answer = await daemon.api.open('GET', '/containers/well/archive?path=/etc/passwd');
  assert.match(await text(answer), /root:/);
  assert.ok(performance.now() - began < 10_000, `${performance.now() - began} ms`);
  leaving.abort();
  await outcomes;
});

test('a container whose root hangs is stopped and removed like any other', { skip }, async () => {
  await using _hung = await hangs('hung');
  await Promise.all([
    othersAreWell(),
    daemon.api.call('GET', '/containers/json?size=1&all=1'),
    expect(daemon.api, 'DELETE', '/containers/hung?force=1', { statuses: [204] }),
  ]);
  await expect(daemon.api, 'GET', '/containers/hung/json', { statuses: [404] });
});

test('an engine ends in time while a container’s root hangs that it looks into', { skip }, async () => {
  await using _hung = await hangs('hung');
  const asking = [
    daemon.api.call('POST', '/containers/hung/exec', { json: { Cmd: ['true'], User: 'nobody' } }).catch(() => undefined),
    daemon.api.call('GET', '/containers/hung/archive?path=/etc').catch(() => undefined),
  ];
  await othersAreWell();
  const began = performance.now();
  const { code, signal } = await daemon.kill('SIGTERM');
  assert.deepEqual([code, signal, performance.now() - began < 20_000], [0, null, true]);
  await Promise.all(asking);
});

async function othersAreWell(): Promise<void> {
  const { api } = daemon;
  for (let times = 0; times < 10; times += 1) {
    const began = performance.now();
    assert.equal((await api.call('GET', '/_ping')).body, 'OK');
    assert.ok(performance.now() - began < 1_000, 'the engine answers at once');
  }
  assert.equal(await runExec(api, 'well', ['true']), 0);
  await runs('another');
  await removeContainer(api, 'another');
}

async function runs(name: string): Promise<void> {
  await createContainer(daemon.api, name, { command: ['sleep', '1000'] });
  await expect(daemon.api, 'POST', `/containers/${name}/start`, { statuses: [204] });
}

/** A running container the program of whose root is stopped; it goes on, and the container goes, when disposed. */
async function hangs(name: string): Promise<AsyncDisposable & { readonly goOn: () => void }> {
  const others = new Set(servers());
  await runs(name);
  const own = servers().filter((pid) => !others.has(pid));
  assert.equal(own.length, 1);
  const signal = (kind: NodeJS.Signals): void => {
    for (const pid of own) if (servers().includes(pid)) process.kill(pid, kind);
  };
  signal('SIGSTOP');
  return {
    goOn: () => signal('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      signal('SIGCONT');
      await removeContainer(daemon.api, name).catch(() => undefined);
    },
  };
}

function servers(): readonly number[] {
  return globSync('/proc/[0-9]*/cmdline').flatMap((file) => {
    try {
      return /^(\/usr\/bin\/)?fuse-overlayfs\0/.test(readFileSync(file, 'utf8')) ? [Number(file.split('/')[2])] : [];
    } catch {
      return [];
    }
  });
}
