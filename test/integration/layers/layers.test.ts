import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../../core/content/index.ts';
import { isMounted } from '../../../core/execute/index.ts';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { withExt4 } from '../../support/disks/ext4.ts';
import { addImage, type LayersRoom, openLayers } from '../../support/engine/layers-room.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { endOfArchive, entry, header } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url);
const disk = withExt4({ sizeMiB: 1024 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

const base = busyboxLayer();
const second = Buffer.concat([
  header({ name: 'etc/', type: '5', mode: 0o750 }),
  entry('etc/new', 'hello'),
  entry('bin/.wh.vi', ''),
  endOfArchive,
]);
const [first, other] = ['a'.repeat(64), 'b'.repeat(64)];

for (const driver of ['overlay2', 'vfs']) {
  test(`ContainerLayers (${driver}) shows the image with its init files, keeps what is written, and leaves nothing`, async () => {
    const root = mkdtempSync(join(disk.path, 'layers-'));
    {
      await using room = openLayers(root);
      const { containers } = room.layers;
      const chainIds = await addImage(room, [room.source(base), room.source(second)], driver);
      for (const id of [first, other]) await containers.create(id, { chainIds, graphDriver: driver });
      const path = await containers.mount(first);
      assert.equal(await containers.mount(first), path);
      assert.deepEqual(
        [
          existsSync(join(path, 'bin/vi')),
          readFileSync(join(path, 'etc/new'), 'utf8'),
          (statSync(join(path, 'etc')).mode & 0o7777).toString(8),
        ],
        [false, 'hello', '750'],
      );
      for (const name of ['.dockerenv', 'etc/hosts', 'dev/pts', 'proc']) assert.ok(existsSync(join(path, name)), name);
      writeFileSync(join(path, 'etc/new'), 'changed');
      writeFileSync(join(path, 'added'), '1');
      rmSync(join(path, 'usr'), { recursive: true });
      assert.deepEqual(await containers.changes(first), [
        { path: '/added', kind: 'added' },
        { path: '/etc', kind: 'modified' },
        { path: '/etc/new', kind: 'modified' },
        { path: '/usr', kind: 'deleted' },
      ]);
      assert.deepEqual(await containers.changes(other), []);
      const { rw, rootFs } = await containers.size(first);
      assert.deepEqual([rw, rootFs > base.length / 2], [8, true]);
      await containers.unmount(first);
      await containers.unmount(first);
      assert.equal(await containers.mount(first), path);
      assert.equal(readFileSync(join(path, 'etc/new'), 'utf8'), 'changed');
      for (const id of [first, other, first]) await containers.remove(id);
      await forget(room);
    }
    assert.deepEqual(leftovers(root), []);
    rmSync(root, { recursive: true });
  });

  test(`Layers.exportChanges() (${driver}) gives a layer that makes the same tree again`, async () => {
    const root = mkdtempSync(join(disk.path, 'layers-'));
    {
      await using room = openLayers(root);
      const { containers } = room.layers;
      const chainIds = await addImage(room, [room.source(base)], driver);
      await containers.create(first, { chainIds, graphDriver: driver });
      const path = await containers.mount(first);
      for (const command of changesByHand) execFileSync('sh', ['-c', command], { cwd: path });
      const layer = await room.layers.exportChanges(first);
      const again = await room.layers.exportChanges(first);
      if (driver === 'overlay2') assert.equal(layer.digest, again.digest);
      rmSync(again.path);
      const committed = await addImage(room, [room.source(base), { diffId: layer.digest, blob: layer }], driver, 'committed');
      await containers.create(other, { chainIds: committed, graphDriver: driver });
      const copy = await containers.mount(other);
      assert.equal(fingerprint(copy), fingerprint(path));
      for (const id of [first, other]) await containers.remove(id);
      await forget(room);
    }
    assert.deepEqual(leftovers(root), []);
    rmSync(root, { recursive: true });
  });
}

const changesByHand = [
  'echo new > new; chmod 4711 new; chown 12:34 new; ln new hard; ln -s new soft; mkfifo pipe',
  'rm bin/cat; rm -r usr; mkdir usr; echo only > usr/this',
  'rm etc/passwd; mkdir etc/passwd; chmod 1777 etc; touch -d 2001-02-03 etc/group',
  'mkdir -p deep/er/est; echo x > deep/er/est/file; truncate -s 5M deep/hole',
];

test('ImageLayers.stage() puts a layer where those below it are, whatever the driver of new layers is', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using room = openLayers(root);
    await addImage(room, [room.source(base)], 'vfs');
    const chainIds = await addImage(room, [room.source(base), room.source(second)], 'overlay2', 'other');
    assert.deepEqual(
      chainIds.map((chainId) => room.layers.images.get(chainId)?.driver),
      ['vfs', 'vfs'],
    );
    await room.layers.containers.create(first, { chainIds, graphDriver: 'vfs' });
    assert.equal(readFileSync(join(await room.layers.containers.mount(first), 'etc/new'), 'utf8'), 'hello');
    await room.layers.containers.unmount(first);
    await room.layers.containers.remove(first);
    await forget(room);
  }
  assert.deepEqual(leftovers(root), []);
  rmSync(root, { recursive: true });
});

test('ContainerLayers.mount() finds the mount that an earlier engine made', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using before = openLayers(root);
    const chainIds = await addImage(before, [before.source(base)], 'overlay2');
    await before.layers.containers.create(first, { chainIds, graphDriver: 'overlay2' });
    writeFileSync(join(await before.layers.containers.mount(first), 'kept'), 'x');
  }
  {
    await using room = openLayers(root);
    const path = await room.layers.containers.mount(first);
    assert.ok(existsSync(join(path, 'kept')));
    await room.layers.containers.unmount(first);
    assert.equal(isMounted(path), false);
    await room.layers.containers.remove(first);
    await forget(room);
  }
  assert.deepEqual(leftovers(root), []);
  rmSync(root, { recursive: true });
});

test('ContainerLayers.borrow() keeps the tree until the last borrower is done, whoever unmounts', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using room = openLayers(root);
    const { containers } = room.layers;
    const chainIds = await addImage(room, [room.source(base)], 'overlay2');
    await containers.create(first, { chainIds, graphDriver: 'overlay2' });
    const path = await containers.mount(first);
    {
      await using _one = await containers.borrow(first);
      await containers.unmount(first);
      assert.equal(isMounted(path), true);
    }
    assert.equal(isMounted(path), false);
    await containers.remove(first);
    await forget(room);
  }
  rmSync(root, { recursive: true });
});

test('ImageLayers.stage() refuses a wrong diff id and leaves nothing', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using room = openLayers(root);
    const wrong = room.source(gzipSync(second), digestOf('something else'));
    await assert.rejects(addImage(room, [room.source(base), wrong], 'overlay2'), {
      code: 'invalid_argument',
      message: /^invalid diffID: expected "sha256:/,
    });
    room.content.sweep();
  }
  assert.deepEqual(leftovers(root), []);
  rmSync(root, { recursive: true });
});

test('ImageLayers.stage() unpacks a layer once for two images at the same time', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using room = openLayers(root);
    const [one, two] = await Promise.all([
      addImage(room, [room.source(base), room.source(second)], 'overlay2', 'one'),
      addImage(room, [room.source(base), room.source(Buffer.concat([entry('x'), endOfArchive]))], 'overlay2', 'two'),
    ]);
    assert.equal(one[0], two[0]);
    assert.equal(room.layers.images.all().length, 3);
    assert.equal(snapshots(root).length, 3);
    room.database.run("DELETE FROM images WHERE id = 'one'");
    await room.layers.releaseUnused();
    assert.deepEqual(
      room.layers.images
        .all()
        .map(({ chainId }) => chainId)
        .toSorted(),
      [...two].toSorted(),
    );
    await forget(room);
  }
  assert.deepEqual(leftovers(root), []);
  rmSync(root, { recursive: true });
});

test('ImageLayers.stage() links to a file of a lower layer', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using room = openLayers(root);
    const links = Buffer.concat([header({ name: 'link', type: '1', link: 'bin/busybox' }), endOfArchive]);
    const chain = await addImage(room, [room.source(base), room.source(links)], 'overlay2');
    {
      await using shown = await room.layers.images.show(chain.at(-1) ?? '');
      assert.equal(statSync(join(shown.path, 'link')).size, statSync(join(shown.path, 'bin/busybox')).size);
    }
    await forget(room);
  }
  rmSync(root, { recursive: true });
});

test('ImageLayers.stage() refuses the 126th layer', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using room = openLayers(root);
    const stack = Array.from({ length: 126 }, (_, at) => room.source(Buffer.concat([entry(`f${at}`), endOfArchive])));
    await assert.rejects(addImage(room, stack, 'overlay2'), { code: 'invalid_argument', message: /max depth exceeded/ });
  }
  rmSync(root, { recursive: true });
});

for (const point of ['layer.stage', 'layer.apply', 'layer.sync', 'layer.commit']) {
  test(`Layers.collect() removes what a kill at ${point} left, and staging again succeeds`, async () => {
    const root = mkdtempSync(join(disk.path, 'layers-'));
    const script = join(import.meta.dirname, '../../support/images/stage-layers.ts');
    const { signal } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', script, root], {
      env: { ...process.env, GANTRY_FAILPOINTS: `${point}=kill` },
    });
    assert.equal(signal, 'SIGKILL');
    {
      await using room = openLayers(root);
      room.content.sweep();
      await room.layers.collect(['overlay2'], new Set());
      assert.deepEqual([room.layers.images.all(), snapshots(root)], [[], []]);
      await addImage(room, [room.source(base)], 'overlay2');
      await forget(room);
    }
    assert.deepEqual(leftovers(root), []);
    rmSync(root, { recursive: true });
  });
}

test('Archives pack, unpack, stat and copyUp stay inside the tree, whatever its symlinks say', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using room = openLayers(root);
    const { archives } = room.layers;
    const tree = join(root, 'tree');
    mkdirSync(join(tree, 'etc'), { recursive: true });
    writeFileSync(join(tree, 'etc', 'inside'), 'inside');
    symlinkSync(root, join(tree, 'out'));
    symlinkSync('/etc', join(tree, 'in'));
    writeFileSync(join(root, 'secret'), 'secret');
    await assert.rejects(archives.stat(tree, '/out/secret'), { code: 'not_found' });
    assert.equal((await archives.stat(tree, '/in/inside')).size, 6);
    assert.equal((await archives.stat(tree, '/in')).linkTarget, '/etc');
    await archives.unpack(tree, '/in', stream(entry('put', 'x'), endOfArchive), { noOverwriteDirNonDir: true, copyUidGid: false });
    assert.deepEqual(readdirSync(join(tree, 'etc')).toSorted(), ['inside', 'put']);
    await assert.rejects(archives.unpack(tree, '/etc/inside', stream(endOfArchive), { noOverwriteDirNonDir: false, copyUidGid: false }), {
      code: 'invalid_argument',
      message: 'extraction point is not a directory',
    });
    assert.deepEqual(await names(archives.pack(tree, { path: '/etc', rebase: 'config' })), ['config/', 'config/inside', 'config/put']);
    await assert.rejects(names(archives.pack(tree, { path: '/out/secret' })), { code: 'not_found' });
    const volume = join(root, 'volume');
    mkdirSync(volume);
    await archives.copyUp(tree, '/out', volume);
    assert.deepEqual(readdirSync(volume), []);
    await archives.copyUp(tree, '/in', volume);
    await archives.copyUp(tree, '/', volume);
    assert.deepEqual(readdirSync(volume).toSorted(), ['inside', 'put']);
  }
  rmSync(root, { recursive: true });
});

test('Archives.pack() stops when its reader goes away', async () => {
  const root = mkdtempSync(join(disk.path, 'layers-'));
  {
    await using room = openLayers(root);
    mkdirSync(join(root, 'tree'));
    writeFileSync(join(root, 'tree', 'large'), Buffer.alloc(64 * 1024 * 1024));
    for await (const chunk of room.layers.archives.pack(join(root, 'tree'), {})) {
      assert.ok(chunk.length > 0);
      break;
    }
    assert.equal((await room.layers.archives.stat(join(root, 'tree'), '/large')).size, 64 * 1024 * 1024);
  }
  rmSync(root, { recursive: true });
});

async function* stream(...parts: readonly Buffer[]): AsyncIterable<Buffer> {
  yield* parts;
}

async function names(tar: AsyncIterable<Buffer>): Promise<readonly string[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk);
  return execFileSync('tar', ['-t'], { input: Buffer.concat(chunks), encoding: 'utf8' })
    .trim()
    .split('\n');
}

/** Everything that makes a tree what it is, as one text; each image has init files of its own. */
function fingerprint(tree: string): string {
  const command = String.raw`find . -mindepth 1 ! -path './dev*' ! -name .dockerenv ! -path './etc/[hrm]*' \( -type d -printf '%p %y %m %U %G\n' -o -type l -printf '%p %y %l\n' -o -printf '%p %y %m %U %G %s %Ts %n\n' \) | sort; find . -type f -exec sha256sum {} + | sort`;
  return execFileSync('sh', ['-c', command], { cwd: tree, encoding: 'utf8' });
}

async function forget(room: LayersRoom): Promise<void> {
  room.database.run('DELETE FROM images');
  await room.layers.releaseUnused();
}

function snapshots(root: string): readonly string[] {
  const folder = join(root, 'data/plugins/overlay2');
  return existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith('#')) : [];
}

/** What no record explains: snapshots, blobs, ingests, mount points. */
function leftovers(root: string): readonly string[] {
  const folders = ['data/plugins/overlay2', 'data/plugins/vfs', 'data/content/blobs/sha256', 'data/content/ingest', 'exec/layers'];
  return folders.flatMap((folder) =>
    existsSync(join(root, folder)) ? readdirSync(join(root, folder)).map((name) => `${folder}/${name}`) : [],
  );
}
