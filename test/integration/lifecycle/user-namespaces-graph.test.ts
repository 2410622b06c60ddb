import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingForDisk, withDisk } from '../../support/disks/disk.ts';
import type { EngineOptions } from '../../../core/index.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const ranges = [{ inside: 0, outside: 200_000, size: 65_536 }];
const containerDefaults = { idMaps: { uids: ranges, gids: ranges } };
/** What a driver lies on: the engine's options for it. */
type Place = AsyncDisposable & Pick<EngineOptions, 'dataRoot'>;
const nowhere = { [Symbol.asyncDispose]: () => Promise.resolve() };
const places = {
  tmpfs: (): Place => nowhere,
  ext4: () => onDisk('ext4', 256),
  xfs: () => onDisk('xfs', 512),
  btrfs: () => onDisk('btrfs', 512),
};

/** Every graph driver that can show owners mapped, and file systems that it lies on. */
const able: readonly (readonly [driver: string, disk: keyof typeof places])[] = [
  ['overlay2', 'tmpfs'],
  ['overlay2', 'ext4'],
  ['overlay2', 'xfs'],
  ['vfs', 'tmpfs'],
  ['vfs', 'ext4'],
  ['btrfs', 'btrfs'],
];
for (const [driver, disk] of able) {
  const skip = (disk === 'tmpfs' ? undefined : missingForDisk(disk)) ?? false;
  test(`${driver} on ${disk}: what a container with a user namespace writes, and docker cp brings, is the container’s everywhere`, {
    skip,
  }, async () => {
    await using place = places[disk]();
    await using under = await open(driver, place);
    await under.warm();
    await using _nothingLeft = noLeaks();
    await using container = await under.sleeping();
    const { containers, images } = under.engine;
    const sh = async (script: string) => (await under.exec(container.id, ['sh', '-ec', script])).stdout.trim().split('\n');
    const stat = 'stat -c "%u:%g:%a %n"';
    await sh(
      'mkdir -m 751 /d; echo x > /d/f; chown 5:6 /d/f; chmod 4755 /d/f; ln /d/f /d/hard; ln -s f /d/link; chown -h 7:8 /d/link; rm /etc/group',
    );
    await sh('echo more >> /etc/passwd; chown -R 9:9 /home; mv /d /e');
    await under.put(container.id, '/e', Buffer.concat([entry('put', 'y', { uid: 1234, gid: 65_535, mode: 0o640 }), endOfArchive]));
    const files = '/e /e/f /e/hard /e/link /e/put /etc/passwd /home /bin/busybox';
    const seen = await sh(`${stat} ${files}`);
    assert.deepEqual(seen, [
      '0:0:751 /e',
      '5:6:4755 /e/f',
      '5:6:4755 /e/hard',
      '7:8:777 /e/link',
      '1234:65535:640 /e/put',
      '0:0:644 /etc/passwd',
      '9:9:755 /home',
      '0:0:755 /bin/busybox',
    ]);
    assert.deepEqual(owners(await under.get(container.id, '/e')), ['0/0 e/', '1234/65535 e/put', '5/6 e/f', '5/6 e/hard', '7/8 e/link']);
    const told = (await containers.changes(container.id)).map(({ kind, path }) => `${kind} ${path}`);
    for (const change of ['added /e', 'added /e/f', 'modified /etc', 'modified /etc/passwd', 'deleted /etc/group', 'modified /home'])
      assert.ok(told.includes(change), `${change} of ${told.join(', ')}`);
    const { id } = await containers.commit({ container: container.id, changes: [], pause: true });
    for (const UsernsMode of ['', 'host']) {
      const { stdout } = await under.run(`${stat} ${files}; ls /etc/group 2>&1`, { config: { Image: id }, hostConfig: { UsernsMode } });
      assert.deepEqual(stdout.trim().split('\n').slice(0, -1), seen, `userns=${UsernsMode}`);
      assert.match(stdout, /group: No such file/);
    }
    await containers.restart(container.id, { timeoutSeconds: 1 });
    assert.deepEqual(await sh(`${stat} ${files}`), seen, 'after a restart');
    const Mounts = [
      { Type: 'image', Source: id, Target: '/i' },
      { Type: 'image', Source: id, Target: '/e', ImageOptions: { Subpath: 'e' } },
    ] as const;
    const mounted = await under.run('stat -c "%u:%g:%a" /i/e/f /i/e/put /e/f; touch /i/x 2> /dev/null || echo read-only', {
      hostConfig: { Mounts },
    });
    assert.equal(mounted.stdout, '5:6:4755\n1234:65535:640\n5:6:4755\nread-only\n', 'an image as a mount');
    await images.remove(id, { force: true, prune: true });
  });
}

test('fuse-overlayfs maps no owners: the start says so, naming it, and what to do; with --userns=host it runs', {
  skip: spawnSync('fuse-overlayfs', ['--version']).error === undefined ? false : 'needs fuse-overlayfs',
}, async () => {
  await using fuse = await open('fuse-overlayfs');
  await using container = await fuse.created();
  await assert.rejects(fuse.engine.containers.start(container.id), {
    code: 'unavailable',
    message:
      /^graph driver fuse-overlayfs cannot show owners mapped for a user namespace: the file system of .*, or this kernel, has no idmapped mounts$/,
    hint: /--userns=host/,
  });
  assert.equal((await fuse.run('true', { hostConfig: { UsernsMode: 'host' } })).exitCode, 0);
});

async function open(storageDriver: string, { dataRoot }: Place = nowhere): Promise<EngineUnderTest> {
  const under = await EngineUnderTest.open({ containerDefaults, storageDriver, ...(dataRoot !== undefined && { dataRoot }) });
  chmodSync(under.folder, 0o711);
  return under;
}

function onDisk(type: 'ext4' | 'xfs' | 'btrfs', sizeMiB: number): Place {
  const disk = withDisk(type, { sizeMiB });
  return { dataRoot: join(disk.path, 'data'), [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose]() };
}

/** Owners and names in a tar. */
function owners(tar: Buffer): readonly string[] {
  const { stdout } = spawnSync('tar', ['--numeric-owner', '-tvf', '-'], { input: tar, encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  return lines.map((line) => line.replace(/ -> .*| link to .*/, '').replace(/^\S+ +(\S+) .* (\S+)$/, '$1 $2')).toSorted();
}
