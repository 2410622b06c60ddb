import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mount } from '@gantry/sdk';
import { readMountinfo } from '@gantry/sdk/linux';
import { makeMounts as makeWithTools } from '@gantry/sdk/mounts';
import { dataPathOf, isMounted, makeMounts, unmount } from '../../../core/execute/index.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
leakGuard();

interface Place extends Disposable {
  readonly dataDir: string;
  readonly target: string;
  readonly outside: string;
}

function place(): Place {
  const root = mkdtempSync(join(tmpdir(), 'mounts-'));
  const [dataDir, target, outside] = [join(root, 'data'), join(root, 'target'), join(root, 'outside')];
  for (const path of [dataDir, target, outside, join(dataDir, 'tree'), join(dataDir, 'lower')]) mkdirSync(path);
  writeFileSync(join(dataDir, 'tree', 'file'), 'x');
  symlinkSync(outside, join(dataDir, 'link'));
  return { dataDir, target, outside, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}
const grantsOf = ({ dataDir, outside }: Place, hostPaths: readonly string[] = []) => ({
  plugin: 'test',
  dataDir,
  mountTypes: ['ext4', 'nfs4'],
  hostPaths: hostPaths.map((path) => (path === 'outside' ? outside : path)),
  devices: ['/dev/null'],
  nftables: false,
});

const data = (path: string): Mount => ({ type: 'bind', source: { data: path } });
const tmpfs = (...options: readonly string[]): Mount => ({ type: 'tmpfs', source: { opaque: 'tmpfs' }, options });
const refused: Readonly<Record<string, readonly [mount: (at: Place) => Mount, code: string]>> = {
  'a type that was not granted': [() => ({ type: 'cifs', source: { opaque: '//server/x' } }), 'forbidden'],
  'a type that is no word': [() => ({ type: '../x', source: { opaque: 'x' } }), 'invalid_argument'],
  'a data path that climbs': [() => data('../outside'), 'forbidden'],
  'an absolute data path elsewhere': [() => data('/etc'), 'forbidden'],
  'a data path through a symlink that leaves': [() => data('link'), 'not_found'],
  'an overlay through a symlink': [
    () => ({ type: 'overlay', source: { opaque: 'overlay' }, overlay: { lower: [{ data: 'tree' }, { data: 'link' }] } }),
    'invalid_argument',
  ],
  'an overlay of host paths': [
    () => ({ type: 'overlay', source: { opaque: 'overlay' }, overlay: { lower: [{ host: '/etc' }] } }),
    'invalid_argument',
  ],
  'a host path that was not granted': [() => ({ type: 'bind', source: { host: '/etc' } }), 'forbidden'],
  'a device that was not granted': [() => ({ type: 'ext4', source: { device: '/dev/zero' } }), 'forbidden'],
  'an option that smuggles a path': [() => tmpfs('lowerdir=/etc'), 'forbidden'],
  'two options in one': [() => tmpfs('size=1m,mode=777'), 'invalid_argument'],
  'an option with a newline': [() => tmpfs('size=1m\nmode=7'), 'invalid_argument'],
  'an option that the type lacks': [() => tmpfs('colour=red'), 'invalid_argument'],
  'a later mount of the same list': [() => ({ type: 'bind', source: { mount: 3 } }), 'invalid_argument'],
  'a helper for a type that has none': [() => ({ type: 'tmpfs', source: { opaque: 'x' }, helper: { argv: ['x'] } }), 'invalid_argument'],
};

for (const [what, [mount, code]] of Object.entries(refused)) {
  test(`makeMounts() refuses ${what} and undoes what came before it`, async () => {
    using at = place();
    await assert.rejects(makeMounts({ target: at.target, mounts: [data('tree'), mount(at)], grants: grantsOf(at) }), { code });
    assert.equal(isMounted(at.target), false);
  });
}

test('makeMounts() binds data folders, granted host paths and earlier mounts; unmount() takes all of it away', async () => {
  using at = place();
  writeFileSync(join(at.outside, 'host-file'), 'x');
  await makeMounts({ target: at.target, mounts: [data('tree')], grants: grantsOf(at) });
  assert.deepEqual(readdirSync(at.target), ['file']);
  await makeMounts({
    target: at.target,
    mounts: [{ type: 'bind', source: { host: at.outside }, readOnly: true }],
    grants: grantsOf(at, ['outside']),
  });
  assert.deepEqual(readdirSync(at.target), ['host-file']);
  assert.throws(() => writeFileSync(join(at.target, 'x'), ''), { code: 'EROFS' });
  mkdirSync(join(at.dataDir, 'tree', 'sub'));
  await makeMounts({
    target: at.target,
    mounts: [data('tree'), { type: 'bind', source: { mount: 0, subpath: 'sub' } }],
    grants: grantsOf(at),
  });
  assert.deepEqual(readdirSync(at.target), []);
  await unmount(at.target);
  await unmount(at.target);
  assert.equal(isMounted(at.target), false);
});

test('makeMounts() follows symlinks of a plugin’s data within the target alone: as the source of a later mount, and when it takes mounts back', async () => {
  using at = place();
  // From the root of the machine it leads to `outside`, within the target to a folder of the same path.
  symlinkSync(at.outside, join(at.dataDir, 'tree/link'));
  mkdirSync(join(at.dataDir, 'tree', at.outside, 'sub'), { recursive: true });
  mkdirSync(join(at.outside, 'sub'));
  writeFileSync(join(at.outside, 'sub/secret'), 'x');
  const inside: Mount = { ...tmpfs('size=1m'), target: 'link/sub' };
  const again: Mount = { type: 'bind', source: { mount: 1 }, target: 'again' };
  mkdirSync(join(at.dataDir, 'tree/again'));
  const merged: Mount = {
    type: 'overlay',
    source: { opaque: 'overlay' },
    overlay: { lower: [{ data: 'tree' }, { data: 'lower' }] },
    target: 'merged',
  };
  mkdirSync(join(at.dataDir, 'tree/merged'));
  await makeMounts({ target: at.target, mounts: [data('tree'), inside, again, merged], grants: grantsOf(at) });
  assert.deepEqual(readdirSync(join(at.target, 'again')), []);
  assert.deepEqual(readdirSync(join(at.target, 'merged')).toSorted(), readdirSync(join(at.dataDir, 'tree')).toSorted());
  await unmount(at.target);
  await makeMounts({ target: join(at.outside, 'sub'), mounts: [tmpfs('size=1m')], grants: grantsOf(at) });
  await assert.rejects(makeMounts({ target: at.target, mounts: [data('tree'), inside, data('none')], grants: grantsOf(at) }));
  assert.equal(isMounted(join(at.outside, 'sub')), true);
  await unmount(join(at.outside, 'sub'));
});

test('makeMounts() takes back what a program mounted that was ended before it could say so', async () => {
  using at = place();
  writeFileSync(join(at.dataDir, 'disk'), '');
  truncateSync(join(at.dataDir, 'disk'), 8 << 20);
  execFileSync('mkfs.ext4', ['-q', '-F', join(at.dataDir, 'disk')]);
  const tool = ['/bin/sh', '-c', '/bin/mount "$@"; touch "$0"; sleep 60', join(at.outside, 'mounted')];
  for (const target of [undefined, 'sub']) {
    rmSync(join(at.outside, 'mounted'), { force: true });
    mkdirSync(join(at.dataDir, 'tree/sub'), { recursive: true });
    const stop = new AbortController();
    const disk: Mount = { type: 'ext4', source: { data: 'disk' }, ...(target !== undefined && { target }) };
    const tools = { mount: tool, statfs: [] };
    const making = makeWithTools({ target: at.target, mounts: [data('tree'), disk], grants: grantsOf(at), tools, signal: stop.signal });
    while (!existsSync(join(at.outside, 'mounted'))) await sleep(10);
    stop.abort(new Error('given up'));
    await assert.rejects(making, /given up/);
    assert.deepEqual(
      readMountinfo().filter(({ mountPoint }) => mountPoint.startsWith(at.target)),
      [],
    );
  }
});

test('makeMounts() keeps set-uid programs and devices out of restricted mounts', async () => {
  using at = place();
  await makeMounts({ target: at.target, mounts: [tmpfs('size=1m')], grants: grantsOf(at), restricted: true });
  const mounted = readMountinfo().find(({ mountPoint }) => mountPoint === at.target);
  assert.deepEqual(
    ['nosuid', 'nodev'].map((option) => mounted?.options.includes(option)),
    [true, true],
  );
  await unmount(at.target);
});

test('dataPathOf() answers the folder of a plain bind and nothing else', () => {
  using at = place();
  const grants = grantsOf(at);
  assert.equal(dataPathOf([data('tree')], grants), join(at.dataDir, 'tree'));
  assert.equal(dataPathOf([tmpfs()], grants), undefined);
  assert.equal(dataPathOf([data('tree'), data('lower')], grants), undefined);
});

test('makeMounts() mounts a file as a disk, and a folder of it over it; unmount() leaves no loop device', async () => {
  using at = place();
  const image = join(at.dataDir, 'disk');
  mkdirSync(join(at.dataDir, 'template', 'inside'), { recursive: true });
  writeFileSync(image, '');
  truncateSync(image, 8 << 20);
  execFileSync('mkfs.ext4', ['-q', '-F', '-d', join(at.dataDir, 'template'), image]);
  const disk: Mount = { type: 'ext4', source: { data: 'disk' } };
  await makeMounts({ target: at.target, mounts: [disk, { type: 'bind', source: { mount: 0, subpath: 'inside' } }], grants: grantsOf(at) });
  writeFileSync(join(at.target, 'file'), 'kept');
  await unmount(at.target);
  assert.deepEqual(readdirSync(at.target), []);
  await makeMounts({ target: at.target, mounts: [{ ...disk, readOnly: true }], grants: grantsOf(at) });
  assert.equal(readFileSync(join(at.target, 'inside', 'file'), 'utf8'), 'kept');
  assert.throws(() => writeFileSync(join(at.target, 'inside', 'file'), 'new'), { code: 'EROFS' });
  await unmount(at.target);
  await until(() => !globSync('/sys/block/loop*/loop/backing_file').some((file) => readFileSync(file, 'utf8').includes(at.dataDir)));
});

test('makeMounts() tells what the kernel says of a server’s file system, with the address that was looked up', async () => {
  using at = place();
  const described: Mount = { type: 'nfs4', source: { opaque: 'localhost:/x' }, options: ['soft', 'timeo=1', 'retrans=0'] };
  await assert.rejects(makeMounts({ target: at.target, mounts: [described], grants: grantsOf(at) }), (error: Error) => {
    assert.match(
      error.message,
      /^plugin test: mount nfs4 localhost:\/x: mount: .*: (unknown filesystem type|mount\(2\) system call failed|.*refused)/,
    );
    return true;
  });
  assert.equal(isMounted(at.target), false);
});

async function until(isSo: () => boolean): Promise<void> {
  for (let waits = 0; !isSo(); waits += 1) {
    if (waits > 200) assert.fail(`still not: ${isSo.toString()}`);
    await sleep(10);
  }
}
