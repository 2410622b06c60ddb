import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bindMount, isMountPoint, mount, mountOverlay, readMountinfo, umount2 } from '@gantry/sdk/linux';
import { mountOverlayByText } from '../../../sdk/linux/mounts/overlay.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

let root = '';
before(() => {
  root = mkdtempSync(join(tmpdir(), 'linux-mount-'));
  mount('tmpfs', root, { type: 'tmpfs', flags: new Set(['nosuid', 'nodev']), data: 'size=16m,mode=700' });
});
after(() => umount2(root, new Set(['detach'])));

test('mount() and umount2() mount a tmpfs with its flags and take it away', () => {
  const target = folder('plain');
  mount('named', target, { type: 'tmpfs', flags: new Set(['rdonly', 'noexec']), data: 'size=1m' });
  const entry = readMountinfo().find(({ mountPoint }) => mountPoint === target);
  assert.deepEqual([entry?.source, entry?.type, entry?.options], ['named', 'tmpfs', ['ro', 'noexec', 'relatime']]);
  assert.equal(isMountPoint(target), true);
  umount2(target);
  assert.equal(isMountPoint(target), false);
  assert.throws(() => umount2(target), { code: 'EINVAL', syscall: 'umount', path: target });
});

test('bindMount() is read-only the moment it appears, with all that lies below', () => {
  const source = folder('bind-source');
  mount('below', folder('bind-source/below'), { type: 'tmpfs' });
  const target = folder('bind-target');
  bindMount(source, target, { recursive: true, readOnly: true, noSuid: true, noDev: true, propagation: 'private' });
  assert.throws(() => writeFileSync(join(target, 'x'), ''), { code: 'EROFS' });
  assert.throws(() => writeFileSync(join(target, 'below/x'), ''), { code: 'EROFS' });
  writeFileSync(join(source, 'below/x'), '');
  assert.equal(existsSync(join(target, 'below/x')), true);
  umount2(target, new Set(['detach']));
  umount2(join(source, 'below'));
});

test('bindMount() takes descriptors for both ends', () => {
  const source = folder('fd-source');
  writeFileSync(join(source, 'seen'), '1');
  const target = folder('fd-target');
  const from = openSync(source, 0o10000000);
  const to = openSync(target, 0o10000000);
  bindMount(from, to);
  closeSync(from);
  closeSync(to);
  assert.deepEqual(readdirSync(target), ['seen']);
  umount2(target);
});

test('bindMount() sets how mounts propagate', () => {
  const target = folder('propagation');
  for (const [propagation, shown] of [
    ['shared', /^shared:/],
    ['private', /^$/],
    ['unbindable', /^unbindable$/],
  ] as const) {
    bindMount(folder('propagation-source'), target, { propagation });
    assert.match(
      readMountinfo()
        .find(({ mountPoint }) => mountPoint === target)
        ?.propagation.join() ?? 'gone',
      shown,
    );
    umount2(target);
  }
});

test('bindMount() with a bad option leaves nothing mounted', () => {
  const target = folder('undone');
  assert.throws(() => bindMount(folder('undone-source'), target, { usernsFd: 0 }), { syscall: 'mount_setattr' });
  assert.equal(isMountPoint(target), false);
});

test('mountOverlay() shows the topmost folder first and writes into upper', () => {
  const lower = ['a', 'b'].map((name) => folder(`overlay/${name}`));
  for (const [position, name] of lower.entries()) writeFileSync(join(name, 'file'), String(position));
  const [upper, work, target] = [folder('overlay/upper'), folder('overlay/work'), folder('overlay/target')];
  mountOverlay({ lower, upper, work, target, source: 'gantry', options: { index: 'off' } });
  assert.equal(readFileSync(join(target, 'file'), 'utf8'), '0');
  writeFileSync(join(target, 'new'), '');
  assert.deepEqual(readdirSync(upper), ['new']);
  umount2(target);
});

test('mountOverlay() mounts 300 lowers', () => {
  const lower = Array.from({ length: 300 }, (_, index) => folder(`many/a-rather-long-name-for-a-layer-folder/${index}`));
  for (const name of lower) writeFileSync(join(name, `f${name.split('/').at(-1)}`), '');
  const target = folder('many-target');
  mountOverlay({ lower, target });
  assert.equal(readdirSync(target).length, 300);
  umount2(target);
});

test('mountOverlay() mounts 200 lowers with long names on older kernels too', () => {
  const lower = Array.from({ length: 200 }, (_, index) => folder(`older/a-rather-long-name-for-a-layer-folder/${index}`));
  const target = folder('older-target');
  for (const name of lower) writeFileSync(join(name, `f${name.split('/').at(-1)}`), '');
  mountOverlayByText({ lower, target });
  assert.equal(readdirSync(target).length, 200);
  umount2(target);
});

for (const [way, mountIt] of [
  ['', mountOverlay],
  [' on older kernels too', mountOverlayByText],
] as const)
  test(`mountOverlay() takes every byte in a path, and long ones${way}`, () => {
    for (const odd of ['a:b', 'a,b', 'a\\b', 'a\\:b', 'a b', 'ü', `${'l'.repeat(200)}/${'m'.repeat(200)}`]) {
      const lower = [folder(`odd/${odd}/lower`), folder(`odd/${odd}/lower2`)];
      writeFileSync(join(lower[0] ?? '', 'seen'), odd);
      const target = folder(`odd/${odd}/target`);
      mountIt({ lower, upper: folder(`odd/${odd}/upper`), work: folder(`odd/${odd}/work`), target });
      assert.equal(readFileSync(join(target, 'seen'), 'utf8'), odd);
      umount2(target);
      for (const used of ['upper', 'work']) rmSync(join(root, `odd/${odd}`, used), { recursive: true });
    }
  });

test('mountOverlay() passes the kernel’s own words on', () => {
  const target = folder('refused');
  const here = folder('refused-lower');
  assert.throws(() => mountOverlay({ lower: [here, join(here, 'missing')], target }), { code: 'ENOENT', path: join(here, 'missing') });
  assert.throws(() => mountOverlay({ lower: [here], target, options: { nonsense: 'on' } }), /Unknown parameter 'nonsense'/);
  assert.equal(isMountPoint(target), false);
});

function folder(name: string): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  return path;
}
