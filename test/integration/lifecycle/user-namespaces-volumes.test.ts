import assert from 'node:assert/strict';
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { HostConfig } from '@gantry/sdk/engine';
import { readMountinfo } from '@gantry/sdk/linux';
import { missingForDisk, withDisk } from '../../support/disks/disk.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { missingForSquashfuse, squashfsImage } from '../../support/disks/squashfs.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const ranges = [{ inside: 0, outside: 200_000, size: 65_536 }];
const idMaps = { uids: ranges, gids: ranges };

let under: EngineUnderTest;
before(async () => {
  under = await EngineUnderTest.open({ containerDefaults: { idMaps } });
  chmodSync(under.folder, 0o711);
  const data = [entry('data/', '', { type: '5', uid: 5, gid: 6, mode: 0o750 }), entry('data/file', 'x', { uid: 7, gid: 8 })];
  await under.image('owned', data, { Volumes: { '/data': {} } });
  await under.warm();
});
after(() => under[Symbol.asyncDispose]());

/** Volumes of each kind, and owner and mode of their roots as any container sees them. */
const kinds: readonly (readonly [what: string, options: Readonly<Record<string, string>>, root: string])[] = [
  ['a folder', {}, '0:0:755'],
  ['a folder of somebody’s', { uid: '5', gid: '6', mode: '0770' }, '5:6:770'],
  ['a folder with a size, which is a disk of its own', { size: '16m' }, '0:0:755'],
  ['a folder of somebody’s with a size', { size: '16m', uid: '5', gid: '65535', mode: '0750' }, '5:65535:750'],
  ['a tmpfs', { type: 'tmpfs', device: 'tmpfs' }, '0:0:1777'],
  ['a tmpfs of somebody’s', { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=5,gid=6,mode=700' }, '5:6:700'],
];
for (const [what, options, root] of kinds)
  test(`a volume that is ${what} belongs to whom it says, as users of the container and on the disk, and docker cp says so, too`, async () => {
    await using _nothingLeft = noLeaks();
    const { volumes } = under.engine;
    await volumes.create({ name: 'kind', options });
    {
      const hostConfig = { Binds: ['kind:/v:nocopy'] };
      await using container = await under.sleeping({ hostConfig });
      const script = 'stat -c %u:%g:%a /v; echo x > /v/file; chown 9:65534 /v/file; mkdir /v/sub';
      assert.equal((await under.exec(container.id, ['sh', '-ec', script])).stdout, `${root}\n`);
      await under.put(container.id, '/v/sub', Buffer.concat([entry('put', 'y', { uid: 1234, gid: 4321 }), endOfArchive]));
      const seen = 'stat -c %u:%g /v/file /v/sub /v/sub/put';
      const shown = '9:65534\n0:0\n1234:4321\n';
      assert.equal((await under.exec(container.id, ['sh', '-ec', seen])).stdout, shown);
      const host = { ...hostConfig, UsernsMode: 'host' };
      if (options['type'] === undefined)
        assert.equal((await under.run(seen, { hostConfig: host })).stdout, shown, 'with the machine’s users');
      const subpath: HostConfig = {
        Mounts: [{ Type: 'volume', Source: 'kind', Target: '/s', VolumeOptions: { Subpath: 'sub', NoCopy: true } }],
      };
      assert.equal((await under.run('stat -c %u:%g /s /s/put', { hostConfig: subpath })).stdout, '0:0\n1234:4321\n', 'a subpath');
    }
    await volumes.remove('kind', { force: false });
  });

/** The ways to a volume that takes what the image has there, or does not. */
const ways: readonly (readonly [what: string, hostConfig: HostConfig, expected: string])[] = [
  ['anonymous', {}, '5:6:750\n7:8:644\n'],
  ['named', { Binds: ['way:/data'] }, '5:6:750\n7:8:644\n'],
  ['named, with a size', { Mounts: [volumeAt({ DriverConfig: { Name: 'local', Options: { size: '16m' } } })] }, '5:6:750\n7:8:644\n'],
  ['named and nocopy', { Binds: ['way:/data:nocopy'] }, '0:0:755\n'],
  ['named and volume-nocopy', { Mounts: [volumeAt({ NoCopy: true })] }, '0:0:755\n'],
];
for (const [what, hostConfig, expected] of ways)
  test(`a volume, ${what}, has of its image what it is to have, with the owners of the image`, async () => {
    await using _nothingLeft = noLeaks();
    const { stdout } = await under.run('stat -c %u:%g:%a /data /data/file 2> /dev/null', { config: { Image: 'owned' }, hostConfig });
    assert.equal(stdout, expected);
    await under.engine.volumes.remove('way', { force: true });
  });

test('a volume that is a file system on a device shows its owners mapped', { skip: missingForDisk('ext4') }, async () => {
  await using disk = withDisk('ext4', { sizeMiB: 32 });
  const { volumes } = under.engine;
  const device = readMountinfo().find(({ mountPoint }) => mountPoint === disk.path)?.source ?? '';
  await volumes.create({ name: 'disk', options: { type: 'ext4', device } });
  const { stdout } = await under.run('touch /v/f; chown 5:6 /v/f; stat -c %u:%g /v /v/f', { hostConfig: { Binds: ['disk:/v:nocopy'] } });
  assert.equal(stdout, '0:0\n5:6\n');
  assert.deepEqual([statSync(join(disk.path, 'f')).uid, statSync(join(disk.path, 'f')).gid], [5, 6]);
  await volumes.remove('disk', { force: false });
});

test('tmpfs mounts of the container belong to whom they say, as users of the container', async () => {
  await using _nothingLeft = noLeaks();
  const hostConfig: HostConfig = {
    Tmpfs: { '/a': '', '/b': 'uid=5,gid=6,mode=700,size=1m' },
    Mounts: [{ Type: 'tmpfs', Target: '/c', TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o1750 } }],
    ShmSize: 1 << 20,
  };
  const { stdout } = await under.run('stat -c "%n %u:%g:%a" /a /b /c /dev/shm; touch /a/x /b/x /c/x /dev/shm/x', { hostConfig });
  assert.deepEqual(stdout.trim().split('\n'), ['/a 0:0:1777', '/b 5:6:700', '/c 0:0:1750', '/dev/shm 0:0:1777']);
});

test('a FUSE volume maps no owners: the start says so, naming it, and what to do; with --userns=host it starts', {
  skip: missingForSquashfuse() ?? false,
}, async () => {
  await using fuse = await EngineUnderTest.open({
    containerDefaults: { idMaps },
    pluginDirs: [join(import.meta.dirname, '../../examples')],
  });
  chmodSync(fuse.folder, 0o711);
  const image = join(fuse.folder, 'pictures.img');
  squashfsImage(image, { file: 'inside\n' });
  const { volumes, containers } = fuse.engine;
  await volumes.create({ name: 'pictures', driver: 'squashfs', options: { image } });
  const Binds = ['pictures:/v'];
  await using container = await fuse.created('true', { hostConfig: { Binds } });
  await assert.rejects(containers.start(container.id), {
    code: 'unavailable',
    message: 'volume pictures cannot show owners mapped for a user namespace: its file system, or this kernel, has no idmapped mounts',
    hint: /--userns=host/,
  });
  assert.ok(!readMountinfo().some(({ type }) => type.startsWith('fuse')), 'its mount is taken back');
  assert.equal((await fuse.run('cat /v/file', { hostConfig: { Binds, UsernsMode: 'host' } })).stdout, 'inside\n');
});

function volumeAt(VolumeOptions: object): NonNullable<HostConfig['Mounts']>[number] {
  return { Type: 'volume', Source: 'way', Target: '/data', VolumeOptions };
}
