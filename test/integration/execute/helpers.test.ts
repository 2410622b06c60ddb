import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mount } from '@gantry/sdk';
import { mount } from '@gantry/sdk/author';
import { type BrokenMount, Helpers, isMounted, makeMounts, unmount } from '../../../core/execute/index.ts';
import { helperHouse } from '../../support/machine/helper-child.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { missingForSquashfuse, squashfsImage } from '../../support/disks/squashfs.ts';

inNamespaces(import.meta.url);
const squashed: Mount = mount.fuse({
  argv: ['squashfuse', '-f', '{path:image}', '{fd}'],
  paths: { image: { path: 'image', readOnly: true } },
  readOnly: true,
});

const skip = missingForSquashfuse() ?? false;
if (skip === false) {
  // The first one makes threads and folders that stay.
  await using house = await openHouse();
  await house.make([squashed]);
  await house.unmount();
}
leakGuard();
const helperChild = join(import.meta.dirname, '../../support/machine/helper-child.ts');

test('a helper without privileges serves a mount, sees nothing but what it was given, and ends with the mount', { skip }, async () => {
  await using house = await openHouse();
  await house.make([squashed]);
  assert.equal(readFileSync(join(house.target, 'file'), 'utf8'), 'inside');
  const pid = house.helperPid();
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  assert.match(status, /^Uid:\t1950000001\t/m);
  assert.match(status, /^CapEff:\t0+$/m);
  assert.match(status, /^CapBnd:\t0+$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
  assert.match(status, /^Seccomp:\t2$/m);
  const root = `/proc/${pid}/root`;
  assert.deepEqual(readdirSync(join(root, 'run/gantry/paths')), ['image']);
  assert.equal(existsSync(join(root, house.dataDir)), false);
  assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), /helper-[0-9a-f]+/);
  await house.unmount();
  assert.equal(existsSync(`/proc/${pid}`), false);
  assert.deepEqual(readdirSync(house.records), []);
});

const failures: Readonly<Record<string, readonly [described: () => Mount, code: string, message: RegExp]>> = {
  'a fuse mount without its helper': [() => ({ type: 'fuse', source: { opaque: 'x' } }), 'invalid_argument', /without its helper/],
  'a helper for another type': [() => ({ ...squashed, type: 'tmpfs' }), 'invalid_argument', /a helper for a mount of type tmpfs/],
  'a helper without a program': [() => helperOf({ argv: [] }), 'invalid_argument', /program cannot be ""/],
  'a program that is not there': [() => helperOf({ argv: ['no-such-program'] }), 'not_found', /helper no-such-program is not installed/],
  'a program by a path to somewhere': [() => helperOf({ argv: ['bin/sh'] }), 'invalid_argument', /program cannot be "bin\/sh"/],
  'a program outside of its code': [() => helperOf({ argv: ['./../../bin/sh'] }), 'forbidden', /not below its code/],
  'a program that the sandbox lacks': [() => helperOf({ argv: ['/root/x'] }), 'not_found', /its program \/root\/x is not there/],
  'a NUL byte in an argument': [() => helperOf({ argv: ['sh', 'a\0b'] }), 'invalid_argument', /NUL/],
  'a variable that is none': [() => helperOf({ argv: ['sh'], env: ['=x'] }), 'invalid_argument', /"=x" is not NAME=value/],
  'a name that is a path': [() => helperOf({ argv: ['sh'], files: { '../x': Buffer.from('x') } }), 'invalid_argument', /named "\.\.\/x"/],
  'a file that is not given': [() => helperOf({ argv: ['sh', '{file:key}'] }), 'invalid_argument', /names a file that is not given/],
  'files that are too big': [
    () => helperOf({ argv: ['sh'], files: { big: Buffer.alloc(2 << 20) } }),
    'invalid_argument',
    /more than 64 or 1048576 bytes/,
  ],
  'a path that was not granted': [
    () => helperOf({ argv: ['sh'], paths: { etc: { path: { host: '/etc' } } } }),
    'forbidden',
    /\/etc is not covered/,
  ],
  'a data path that climbs': [
    () => helperOf({ argv: ['sh'], paths: { up: { path: { data: '../x' } } } }),
    'forbidden',
    /not below its data/,
  ],
  'a capability that was not granted': [() => helperOf({ argv: ['sh'], capabilities: ['CAP_CHOWN'] }), 'forbidden', /CAP_CHOWN/],
  'a capability that is none': [() => helperOf({ argv: ['sh'], capabilities: ['chown'] }), 'invalid_argument', /"chown"/],
  'an endless wait': [() => helperOf({ argv: ['sh'], readyTimeoutMs: 999_999 }), 'invalid_argument', /readyTimeoutMs/],
  'an option with a descriptor': [() => ({ ...squashed, options: ['fd=0'] }), 'forbidden', /"fd"/],
  'an option that fuse lacks': [() => ({ ...squashed, options: ['nonempty'] }), 'invalid_argument', /"nonempty"/],
  'a helper that fails': [
    () => helperOf({ argv: ['sh', '-c', 'echo out of luck >&2; exit 7'] }),
    'unavailable',
    /helper sh exited with code 7; it printed: out of luck/,
  ],
  'a helper that never answers': [
    () => helperOf({ argv: ['sleep', '1000'], readyTimeoutMs: 200 }),
    'unavailable',
    /sleep did not answer within 200 ms/,
  ],
};
for (const [what, [described, code, message]] of Object.entries(failures)) {
  test(`makeMounts() refuses ${what}, names the plugin and leaves nothing`, { skip }, async () => {
    await using house = await openHouse();
    await assert.rejects(house.make([described()]), (error: Error & { readonly code: string }) => {
      assert.deepEqual([error.code, /plugin test/.test(error.message), message.test(error.message)], [code, true, true], error.message);
      return true;
    });
    assert.equal(isMounted(house.target), false);
    assert.deepEqual(existsSync(house.records) ? readdirSync(house.records) : [], []);
  });
}

test('a helper reads its files, which nobody else sees, as their owner; what it prints reaches the log', { skip }, async () => {
  await using house = await openHouse();
  const script = 'stat -c "%a %u" {file:key}; cat {file:key}; echo; echo $WORD; exec squashfuse -f {path:image} {fd}';
  const argv = ['sh', '-c', script] as const;
  await house.make([
    mount.fuse({ argv, files: { key: 'secret words' }, env: ['WORD=at {path:image}'], paths: { image: 'image' }, readOnly: true }),
  ]);
  await until(() => house.lines.length === 3);
  assert.deepEqual(
    house.lines.map((line) => line.replace('helper sh: ', '')),
    ['400 1950000001', 'secret words', 'at /run/gantry/paths/image'],
  );
});

test('a mount whose helper dies is broken: told once, shown as an error to whoever looks, and no empty folder when it is gone', {
  skip,
}, async () => {
  await using house = await openHouse();
  await house.make([squashed]);
  assert.equal(house.helpers.brokenAt(house.target), undefined);
  process.kill(house.helperPid(), 'SIGKILL');
  await until(() => house.broken.length > 0);
  const reason = 'its helper squashfuse was ended by SIGKILL';
  assert.deepEqual(house.broken, [{ target: house.target, plugin: 'test', reason }]);
  assert.equal(house.helpers.brokenAt(house.target), reason);
  assert.throws(() => readdirSync(house.target), { code: 'ENOTCONN' });
  await house.unmount();
  assert.equal(house.helpers.brokenAt(house.target), undefined);
  assert.equal(statSync(house.target).mode & 0o7777, 0);
  await house.make([squashed]);
  assert.equal(readFileSync(join(house.target, 'file'), 'utf8'), 'inside');
});

test('unmount() is done within seconds of a helper that hangs, and takes along what the helper started', { skip }, async () => {
  await using house = await openHouse();
  const argv = ['sh', '-c', 'sleep 1000 & exec squashfuse -f {path:image} {fd}'] as const;
  await house.make([mount.fuse({ argv, paths: { image: 'image' }, readOnly: true })]);
  process.kill(house.helperPid(), 'SIGSTOP');
  const before = performance.now();
  assert.equal(isMounted(house.target), true);
  assert.ok(performance.now() - before < 1_000, 'looking at a mount must not ask its helper');
  await house.unmount();
  assert.ok(performance.now() - before < 10_000);
  assert.deepEqual(house.broken, []);
});

test('an abort while the helper does not answer leaves nothing', { skip }, async () => {
  await using house = await openHouse();
  const left = new AbortController();
  const making = house.make([helperOf({ argv: ['sleep', '1000'] })], left.signal);
  setTimeout(() => left.abort(new DOMException('left', 'AbortError')), 300);
  await assert.rejects(making, { name: 'AbortError' });
  assert.equal(isMounted(house.target), false);
});

test('a mount below another is made and broken by itself', { skip }, async () => {
  await using house = await openHouse();
  mkdirSync(join(house.dataDir, 'tree', 'below'), { recursive: true });
  await house.make([mount.bind('tree'), { ...squashed, target: 'below' }]);
  assert.equal(readFileSync(join(house.target, 'below', 'file'), 'utf8'), 'inside');
  assert.notEqual(statSync(join(house.dataDir, 'tree', 'below')).mode & 0o7777, 0);
  process.kill(house.helperPid(), 'SIGTERM');
  await until(() => house.broken.length > 0);
  assert.match(house.helpers.brokenAt(house.target) ?? '', /squashfuse/);
});

test('the next engine takes over helpers that run, and notices their end', { skip }, async () => {
  await using house = await openHouse();
  await house.make([squashed]);
  const pid = house.helperPid();
  await house.reopen();
  assert.equal(readFileSync(join(house.target, 'file'), 'utf8'), 'inside');
  assert.equal(house.helpers.brokenAt(house.target), undefined);
  process.kill(pid, 'SIGKILL');
  await until(() => house.broken.length > 0);
  assert.equal(house.broken[0]?.reason, 'its helper squashfuse ended');
});

test('the next engine ends helpers that it took over, with their mounts', { skip }, async () => {
  await using house = await openHouse();
  await house.make([squashed]);
  const pid = house.helperPid();
  await house.reopen();
  await house.unmount();
  await until(() => stateOf(pid) === 'ended');
  assert.deepEqual(readdirSync(house.records), []);
});

test('the next engine knows mounts whose helpers ended meanwhile as broken, and ends helpers whose mounts are gone', { skip }, async () => {
  await using house = await openHouse();
  await house.make([squashed]);
  const pid = house.helperPid();
  await house.leave();
  process.kill(pid, 'SIGKILL');
  await until(() => stateOf(pid) !== 'running');
  house.enter();
  assert.equal(house.helpers.brokenAt(house.target), 'its helper squashfuse ended while no engine ran');
  await house.unmount();
  await house.make([squashed]);
  const second = house.helperPid();
  process.kill(second, 'SIGSTOP');
  await house.leave();
  await unmount(house.target);
  house.enter();
  await until(() => readdirSync(house.records).length === 0);
  assert.notEqual(stateOf(second), 'running');
});

for (const point of ['helper.recorded', 'helper.mounted', 'helper.started']) {
  test(`an engine killed at ${point} leaves nothing for the next one`, { skip }, async () => {
    await using house = await openHouse();
    const child = spawn(process.execPath, [helperChild, house.folder], {
      env: { ...process.env, GANTRY_FAILPOINTS: `${point}=kill` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    assert.equal(signal, 'SIGKILL');
    assert.equal(readdirSync(house.records).length, 1);
    await house.reopen();
    await until(() => readdirSync(house.records).length === 0);
    assert.equal(isMounted(house.target), false);
    await until(() => globSync('/sys/fs/cgroup/**/helper-*').length === 0);
  });
}

function helperOf(helper: NonNullable<Mount['helper']>): Mount {
  return { type: 'fuse', source: { opaque: 'x' }, helper };
}

async function until(isSo: () => boolean): Promise<void> {
  for (let waits = 0; !isSo(); waits += 1) {
    if (waits > 500) assert.fail(`still not: ${isSo.toString()}`);
    await sleep(10);
  }
}

/** Whoever adopts orphans here may not have reaped it yet. */
function stateOf(pid: number): 'running' | 'ended' {
  try {
    return /^State:\s[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')) ? 'ended' : 'running';
  } catch {
    return 'ended';
  }
}

async function openHouse() {
  const folder = mkdtempSync(join(tmpdir(), 'helpers-'));
  const { dataDir, target, grants } = helperHouse(folder);
  for (const path of [dataDir, target]) mkdirSync(path, { mode: 0o700 });
  squashfsImage(join(dataDir, 'image'), { file: 'inside' });
  const lines: string[] = [];
  const broken: BrokenMount[] = [];
  const log = { ...quietLog, info: (_: object | string, line = '') => void lines.push(line) };
  const open = (): Helpers => {
    const opened = new Helpers({ execRoot: folder, log });
    opened.onBroken((one) => void broken.push(one));
    return opened;
  };
  const records = join(folder, 'helpers');
  let helpers = open();
  return {
    folder,
    records,
    dataDir,
    target,
    lines,
    broken,
    get helpers() {
      return helpers;
    },
    helperPid: () =>
      (JSON.parse(readFileSync(join(records, readdirSync(records)[0] ?? '', 'record.json'), 'utf8')) as { readonly pid: number }).pid,
    make: (mounts: readonly Mount[], signal?: AbortSignal) => makeMounts({ target, mounts, grants, restricted: true, helpers, signal }),
    unmount: () => unmount(target, helpers),
    leave: () => helpers[Symbol.asyncDispose](),
    enter: () => void (helpers = open()),
    async reopen() {
      await this.leave();
      this.enter();
    },
    async [Symbol.asyncDispose]() {
      await unmount(target, helpers);
      await helpers[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}
