import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { HostConfig, MountSpec } from '@gantry/sdk/engine';
import { mount, setPropagation, umount2, unmountFlags } from '@gantry/sdk/linux';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { withExt4 } from '../../support/disks/ext4.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const disk = withExt4({ sizeMiB: 64 });
const under = await EngineUnderTest.open();
await under.warm();
after(async () => {
  await under[Symbol.asyncDispose]();
  await disk[Symbol.asyncDispose]();
});

const bindOf = (source: string, more: Partial<MountSpec> = {}): HostConfig => ({
  Mounts: [{ Type: 'bind', Source: source, Target: '/m', ...more }],
});

/** What a container may do in a bind with a mount below it. */
const recursions: readonly (readonly [what: string, hostConfig: (source: string) => HostConfig, top: boolean, below: boolean])[] = [
  ['-v', (source) => ({ Binds: [`${source}:/m`] }), true, true],
  ['-v :ro', (source) => ({ Binds: [`${source}:/m:ro`] }), false, false],
  ['readonly', (source) => bindOf(source, { ReadOnly: true }), false, false],
  ['bind-recursive=writable', (source) => bindOf(source, { ReadOnly: true, BindOptions: { ReadOnlyNonRecursive: true } }), false, true],
  [
    'bind-recursive=readonly',
    (source) => bindOf(source, { ReadOnly: true, BindOptions: { Propagation: 'rprivate', ReadOnlyForceRecursive: true } }),
    false,
    false,
  ],
];
for (const [what, hostConfig, top, below] of recursions) {
  test(`a bind with ${what} can ${top ? '' : 'not '}be written to, and the mount below it can ${below ? '' : 'not '}be`, async () => {
    await using _nothingLeft = noLeaks();
    using source = folderWithMount();
    const { stdout } = await under.run('touch /m/top && echo top; touch /m/below/file && echo below', {
      hostConfig: hostConfig(source.path),
    });
    assert.deepEqual(stdout.split('\n').filter(Boolean), [...(top ? ['top'] : []), ...(below ? ['below'] : [])]);
  });
}

test('a bind with bind-recursive=disabled has no mounts below it', async () => {
  using source = folderWithMount();
  const { stdout } = await under.run('ls -A /m/below; touch /m/below/file && echo made', {
    hostConfig: bindOf(source.path, { BindOptions: { NonRecursive: true } }),
  });
  assert.equal(stdout, 'made\n');
  assert.ok(!existsSync(join(source.path, 'below', 'file')));
});

for (const [what, hostConfig] of [
  ['-v', (source: string): HostConfig => ({ Binds: [`${source}:/m:idmap=uids=0-1000-1#1000-0-1;gids=0-2000-1#2000-0-1`] })],
  ['--mount', (source: string): HostConfig => bindOf(source, { IdMap: 'uids=0-1000-1#1000-0-1;gids=0-2000-1#2000-0-1' })],
] as const) {
  test(`a bind with idmap by ${what} shows owners as others, both ways, and only there`, async () => {
    await using _nothingLeft = noLeaks();
    using source = folder(disk.path);
    writeFileSync(join(source.path, 'roots'), 'x');
    writeFileSync(join(source.path, 'strangers'), 'x');
    chownSync(join(source.path, 'strangers'), 777, 777);
    chownSync(source.path, 1000, 2000);
    const { exitCode, stdout, stderr } = await under.run('stat -c "%n %u:%g" /m/*; touch /m/new; stat -c "%u:%g" /m/new', {
      hostConfig: hostConfig(source.path),
    });
    assert.deepEqual([exitCode, stderr], [0, '']);
    assert.deepEqual(stdout.trim().split('\n'), ['/m/roots 1000:2000', '/m/strangers 65534:65534', '0:0']);
    const { uid, gid } = statSync(join(source.path, 'new'));
    assert.deepEqual([uid, gid], [1000, 2000]);
    assert.equal(statSync(join(source.path, 'roots')).uid, 0);
  });
}

test('a volume with idmap of users alone leaves groups as they are', async () => {
  const volumes = under.engine.volumes;
  await volumes.create({ name: 'mapped', options: { gid: '5', mode: '0775' } });
  const hostConfig = { Binds: ['mapped:/m:idmap=uids=0-33-1'] };
  assert.equal((await under.run('stat -c "%u:%g %a" /m', { hostConfig })).stdout, '33:5 775\n');
  await volumes.remove('mapped', { force: false });
});

test('a file system that cannot map owners says so at the start, and nothing is left', async () => {
  await using _nothingLeft = noLeaks();
  await assert.rejects(under.run('true', { hostConfig: { Binds: ['/proc/sys:/m:idmap=uids=0-1-1'] } }), {
    code: 'invalid_argument',
    message: /cannot map owners \(idmap\)/,
  });
});

for (const propagation of ['shared', 'rshared', 'slave', 'rslave']) {
  test(`a bind with propagation ${propagation} needs a source that has it, and then sees what is mounted later`, async () => {
    using source = folder(tmpdir());
    mount('tmpfs', source.path, { type: 'tmpfs' });
    setPropagation(source.path, 'private');
    mkdirSync(join(source.path, 'later'));
    const hostConfig = bindOf(source.path, { BindOptions: { Propagation: propagation } });
    await assert.rejects(under.run('true', { hostConfig }), {
      code: 'invalid_argument',
      message: `path ${source.path} is mounted on ${source.path} but it is not a shared${propagation.endsWith('shared') ? '' : ' or slave'} mount`,
    });
    setPropagation(source.path, 'shared');
    await using container = await under.sleeping({ hostConfig });
    mount('tmpfs', join(source.path, 'later'), { type: 'tmpfs' });
    writeFileSync(join(source.path, 'later', 'file'), 'seen');
    assert.equal((await under.exec(container.id, ['cat', '/m/later/file'])).stdout, 'seen');
    umount2(join(source.path, 'later'), unmountFlags.detach);
  });
}

test('a private bind does not see what is mounted later', async () => {
  using source = folderWithMount();
  setPropagation(source.path, 'shared');
  mkdirSync(join(source.path, 'later'));
  await using container = await under.sleeping({ hostConfig: bindOf(source.path) });
  mount('tmpfs', join(source.path, 'later'), { type: 'tmpfs' });
  writeFileSync(join(source.path, 'later', 'file'), 'hidden');
  assert.notEqual((await under.exec(container.id, ['cat', '/m/later/file'])).exitCode, 0);
  umount2(join(source.path, 'later'), unmountFlags.detach);
});

test('an image’s content goes into a new volume, whose owner and mode stay if the user chose them', async () => {
  const { volumes } = under.engine;
  await volumes.create({ name: 'plain' });
  await volumes.create({ name: 'owned', options: { uid: '1000', mode: '700' } });
  const look = async (name: string) =>
    (await under.run('stat -c "%u %a" /bin; ls /bin | head -1', { hostConfig: { Binds: [`${name}:/bin`] } })).stdout;
  const [plain, owned] = [await look('plain'), await look('owned')];
  assert.match(plain, /^0 755\n\S+\n$/);
  assert.equal(owned.split('\n')[0], '1000 700');
  assert.equal(owned.split('\n')[1], plain.split('\n')[1]);
  for (const name of ['plain', 'owned']) await volumes.remove(name, { force: false });
});

for (const [what, name, hostConfig, isCopied] of [
  ['-v', 'copied', { Binds: ['copied:/bin'] }, true],
  ['-v :nocopy', 'bare', { Binds: ['bare:/bin:nocopy'] }, false],
  ['volume-nocopy', 'empty', { Mounts: [{ Type: 'volume', Source: 'empty', Target: '/bin', VolumeOptions: { NoCopy: true } }] }, false],
] as const)
  test(`with ${what} a new volume has ${isCopied ? 'all' : 'nothing'} of what the image has there`, async () => {
    const { volumes } = under.engine;
    {
      await using _container = await under.created('true', { hostConfig });
      const { mountpoint } = await volumes.inspect(name);
      assert.equal(existsSync(join(mountpoint, 'busybox')), isCopied);
    }
    await volumes.remove(name, { force: false });
  });

test('a snapshot is mounted read-only or not at all', async () => {
  const { volumes } = under.engine;
  await volumes.create({ name: 'data' });
  await under.run('echo then > /m/file', { hostConfig: { Binds: ['data:/m'] } });
  await volumes.snapshot({ from: 'data', name: 'kept' });
  await under.run('echo now > /m/file', { hostConfig: { Binds: ['data:/m'] } });
  assert.equal((await under.run('cat /m/file; touch /m/new', { hostConfig: { Binds: ['kept:/m:ro'] } })).stdout, 'then\n');
  await assert.rejects(under.run('true', { hostConfig: { Binds: ['kept:/m'] } }), {
    code: 'conflict',
    message: 'volume kept is a snapshot of data: it can only be mounted read-only',
  });
  await volumes.clone({ from: 'kept', name: 'back' });
  assert.equal(
    (await under.run('cat /m/file; echo more >> /m/file; wc -l < /m/file', { hostConfig: { Binds: ['back:/m'] } })).stdout,
    'then\n2\n',
  );
  for (const name of ['data', 'kept', 'back']) await volumes.remove(name, { force: false });
});

test('a volume with a size takes no more than that, shown by df, and grows when it is resized', async () => {
  const { volumes, system } = under.engine;
  await volumes.create({ name: 'small', options: { size: '16m', uid: '7' } });
  const wishes = { hostConfig: { Binds: ['small:/m'] } };
  const full = await under.run('stat -c %u /m; dd if=/dev/zero of=/m/file bs=1M count=20', wishes);
  assert.equal(full.stdout, '7\n');
  assert.match(full.stderr, /No space left on device/);
  const usage = async () => (await system.diskUsage()).volumes.find(({ name }) => name === 'small')?.usage;
  assert.equal((await usage())?.capacityBytes, 16 << 20);
  await volumes.resize('small', 64 << 20);
  assert.equal((await under.run('dd if=/dev/zero of=/m/file bs=1M count=20', wishes)).exitCode, 0);
  assert.equal((await usage())?.capacityBytes, 64 << 20);
  assert.ok(((await usage())?.sizeBytes ?? 0) >= 20 << 20);
  await volumes.remove('small', { force: false });
});

function folder(parent: string): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(parent, 'mounts-'));
  return {
    path,
    [Symbol.dispose]: () => {
      for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n').toReversed()) {
        const place = line.split(' ')[4] ?? '';
        if (place.startsWith(path)) umount2(place, unmountFlags.detach);
      }
      rmSync(path, { recursive: true });
    },
  };
}

/** A mount with another one below it. */
function folderWithMount(): Disposable & { readonly path: string } {
  const made = folder(tmpdir());
  mount('tmpfs', made.path, { type: 'tmpfs' });
  setPropagation(made.path, 'private');
  mkdirSync(join(made.path, 'below'));
  mount('tmpfs', join(made.path, 'below'), { type: 'tmpfs' });
  return made;
}
