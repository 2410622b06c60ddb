import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { execFileSync } from 'node:child_process';
import { bytesOf, EngineUnderTest, once } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { body, endOfArchive, entry, header } from '../../support/images/tar-builder.ts';
import { makeImage } from '../../support/images/image-archive.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let subject: EngineUnderTest;
/** A folder of the machine that nobody may see or change, by its real path; the same path in a container is something else. */
const canary = '/run/canary';
const hostSecret = 'of the machine';
let canaryBefore: string;
before(async () => {
  mkdirSync(canary);
  writeFileSync(join(canary, 'file'), hostSecret, { mode: 0o640 });
  canaryBefore = factsOf(canary) + factsOf(join(canary, 'file'));
  subject = await EngineUnderTest.open();
  await subject.run('true');
});
after(async () => {
  await subject[Symbol.asyncDispose]();
  rmSync(canary, { recursive: true });
});
beforeEach(() => subject.warm());
leakGuard();

const none = { NetworkMode: 'none' };
const runtimes = ['crun', 'runc'];
const link = (name: string, to: string) => header({ name, type: '2', link: to, mode: 0o777 });
const hardlink = (name: string, to: string) => header({ name, type: '1', link: to, mode: 0o777 });
const folder = (name: string) => header({ name: `${name}/`, type: '5', mode: 0o755 });
const tar = (...parts: readonly Buffer[]) => Buffer.concat([...parts, endOfArchive]);
const climb = '../'.repeat(12);

function factsOf(path: string): string {
  const { mode, uid, gid, mtimeMs, ctimeMs, size, nlink } = statSync(path);
  return JSON.stringify({ path, mode, uid, gid, mtimeMs, ctimeMs, size, nlink });
}

function assertCanary(): void {
  assert.deepEqual(readdirSync(canary), ['file']);
  assert.equal(factsOf(canary) + factsOf(join(canary, 'file')), canaryBefore);
}

/** How a container's files can point at the machine's. Each makes /way lead there. */
const ways: Readonly<Record<string, string>> = {
  'an absolute symlink': `ln -s ${canary} /way`,
  'a symlink that climbs': `ln -s ${climb}run/canary /way`,
  'a chain of symlinks': `ln -s /two /way; ln -s ${climb}three /two; ln -s ${canary} /three`,
  "a symlink through /proc's own": 'ln -s /proc/1/root/run/canary /way',
  "a symlink through /proc/self's root": 'ln -s /proc/self/root/run/canary /way',
  "a symlink through a thread's root": 'ln -s /proc/thread-self/root/run/canary /way',
  'a symlink through a working directory': `ln -s /proc/self/cwd/${climb}run/canary /way`,
};

/** What sees more of the machine than others. */
const kinds: Readonly<Record<string, { readonly hostConfig: object; readonly script?: string }>> = {
  'a container': { hostConfig: none },
  'a container with the machine’s processes': { hostConfig: { ...none, PidMode: 'host' } },
  'a container with the machine’s /proc': {
    hostConfig: { ...none, Binds: ['/proc:/machine:ro'] },
    script: 'rm -f /way; ln -s /machine/1/root/run/canary /way',
  },
  'a container with the machine’s /proc, by itself': {
    hostConfig: { ...none, Binds: ['/proc:/machine:ro'] },
    script: 'rm -f /way; ln -s /machine/self/root/run/canary /way',
  },
};

for (const [kind, { hostConfig, script }] of Object.entries(kinds)) {
  for (const [what, make] of script === undefined ? Object.entries(ways) : [['a symlink through it', script] as const]) {
    test(`SEC-02 docker cp, while ${kind} runs and after it, stays inside it behind ${what}`, async () => {
      await using container = await subject.created('x', {
        config: { Image: 'busybox', Cmd: ['sh', '-c', `${make}; touch /made; sleep 600`] },
        hostConfig,
      });
      const { containers } = subject.engine;
      await containers.start(container.id);
      await waitFor(async () => (await subject.engine.containers.statPath(container.id, '/made').catch(() => undefined)) !== undefined);
      for (const state of ['running', 'ended']) {
        if (state === 'ended') await containers.kill(container.id);
        if (state === 'ended') await containers.wait(container.id, 'not-running').result;
        const got = await Promise.allSettled([
          subject.get(container.id, '/way/file'),
          subject.get(container.id, '/way/'),
          containers.statPath(container.id, '/way/file').then((stat) => Buffer.from(JSON.stringify(stat))),
          containers.export(container.id).then(bytesOf),
        ]);
        for (const one of got) assert.ok(one.status === 'rejected' || !one.value.includes(hostSecret), state);
        if (state === 'running') assert.equal(got[2]?.status, 'rejected', 'a file of that name was found');
        await Promise.allSettled([
          subject.put(
            container.id,
            '/way',
            tar(entry('new', 'evil'), entry('file', 'evil'), header({ name: '.', type: '5', mode: 0o777, uid: 7 })),
          ),
          subject.put(container.id, '/', tar(entry('way/new', 'evil'), entry('way/file', 'evil'))),
        ]);
        assertCanary();
      }
    });
  }
}

test('SEC-02 docker cp of a folder that the container swaps for a symlink all the time never gives or takes what is outside', async () => {
  // The real folder is exchanged for a symlink; mv of two names is the quickest that a shell can do.
  const swap = `mkdir -p /real/deep; echo inside > /real/deep/file; ln -s ${climb}run /evil; cp -r /real /keep;
    while true; do rm -rf /real; ln -s ${climb} /real; rm -f /real; cp -r /keep /real; done`;
  await using container = await subject.created('x', { config: { Image: 'busybox', Cmd: ['sh', '-c', swap] }, hostConfig: none });
  await subject.engine.containers.start(container.id);
  const until = performance.now() + 1_500;
  let answers = 0;
  while (performance.now() < until) {
    const got = await subject.get(container.id, '/real/run/canary/file').catch(() => undefined);
    assert.ok(got?.includes(hostSecret) !== true);
    const all = await subject.get(container.id, '/real').catch(() => undefined);
    assert.ok(all?.includes(hostSecret) !== true);
    await subject.put(container.id, '/real', tar(entry('run/canary/new', 'evil'))).catch(() => undefined);
    answers += 1;
  }
  assert.ok(answers > 5);
  assertCanary();
});

for (const Runtime of runtimes) {
  test(`SEC-04 (${Runtime}) a bind at a path that is a symlink in the image works and stays inside`, async () => {
    await subject.image('linked', [
      folder('run'),
      folder('var'),
      link('var/run', '/run'),
      link('abs', canary),
      link('rel', `${climb}run/canary`),
    ]);
    const source = join(subject.folder, 'source');
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, 'here'), 'bound');
    const Binds = ['/var/run', '/abs', '/rel/below', '/var/run/deeper'].map((target, at) => `${source}:${target}${at === 0 ? '/one' : ''}`);
    const { stdout } = await subject.run('cat /run/one/here /run/canary/here /run/canary/below/here /run/deeper/here', {
      config: { Image: 'linked' },
      hostConfig: { ...none, Runtime, Binds },
    });
    assert.equal(stdout, 'bound'.repeat(4));
    assertCanary();
    rmSync(source, { recursive: true });
  });

  test(`SEC-03 (${Runtime}) mount points that the image lacks are made inside it only`, async () => {
    await subject.image('lacking', [link('up', `${climb}run`), link('out', canary)]);
    const { stdout } = await subject.run('ls -d /run/made/deep /run/canary/file2', {
      config: { Image: 'lacking', Volumes: { '/up/made/deep': {} } },
      hostConfig: { ...none, Runtime, Binds: ['/etc/hostname:/out/file2:ro'] },
    });
    assert.equal(stdout, '/run/canary/file2\n/run/made/deep\n');
    assertCanary();
    assert.throws(() => statSync('/run/made'), { code: 'ENOENT' });
  });

  for (const Type of ['volume', 'image'] as const) {
    test(`a subpath of ${Type === 'image' ? 'an image' : 'a volume'} that is a symlink (${Runtime}) leads inside it or nowhere`, async () => {
      await subject.image('sub', [
        folder('data'),
        entry('data/mine', 'inside'),
        link('data/out', canary),
        link('data/up', `${climb}run/canary`),
        link('data/to', 'deep'),
      ]);
      await subject.image('subimage', [
        folder('deep'),
        entry('deep/mine', 'inside'),
        link('out', canary),
        link('up', `${climb}run/canary`),
        link('to', 'deep'),
      ]);
      await subject.run('mkdir /data/deep; cp /data/mine /data/deep', {
        config: { Image: 'sub' },
        hostConfig: { ...none, Binds: ['subbed:/data'] },
      });
      const mount = (Subpath: string) =>
        Type === 'volume'
          ? { Type, Source: 'subbed', Target: '/mnt', VolumeOptions: { Subpath } }
          : { Type, Source: 'subimage', Target: '/mnt', ImageOptions: { Subpath } };
      const look = (Subpath: string) => subject.run('cat /mnt/*', { hostConfig: { ...none, Runtime, Mounts: [mount(Subpath)] } });
      assert.equal((await look('deep')).stdout, 'inside');
      assert.equal((await look('to')).stdout, 'inside');
      for (const Subpath of ['out', 'up', 'out/../out', 'nothing']) await assert.rejects(look(Subpath), /subpath/);
      for (const Subpath of ['..', '../x', '/etc', 'deep/../../x']) await assert.rejects(look(Subpath), { code: 'invalid_argument' });
      assertCanary();
      await subject.engine.volumes.remove('subbed', { force: true });
    });
  }
}

const archive = tar(entry('unpacked', 'yes'));
const compressed: Readonly<Record<string, Buffer>> = {
  plain: archive,
  gzip: gzipSync(archive),
  zstd: zstdCompressSync(archive),
  xz: execFileSync('xz', ['--stdout'], { input: archive }),
  bzip2: execFileSync('bzip2', ['--stdout'], { input: archive }),
};
const programs = ['xz', 'unxz', 'xzcat', 'gzip', 'gunzip', 'unpigz', 'pigz', 'zstd', 'unzstd', 'bzip2', 'bunzip2', 'tar', 'sh', 'node'];

for (const [kind, bytes] of Object.entries(compressed)) {
  test(`SEC-05 a ${kind} archive is unpacked into a container without running any of its programs or libraries`, async () => {
    // A program that is run leaves a trace in the container, or on the machine when it was run outside.
    const traps = ['bin', 'usr/bin', 'sbin', 'usr/sbin', 'usr/local/bin'].flatMap((path) =>
      programs.map((name) =>
        entry(`${path}/${name}`, `#!/bin/busybox sh\n/bin/busybox touch /trapped ${canary}/trapped\n`, { mode: 0o755 }),
      ),
    );
    const libraries = ['lib', 'lib64', 'usr/lib', 'lib/x86_64-linux-gnu'].flatMap((path) =>
      ['libnss_files.so.2', 'libc.so.6', 'liblzma.so.5'].map((name) => entry(`${path}/${name}`, 'not a library')),
    );
    const settings = [entry('package.json', '{"main":"/evil.js"}'), entry('evil.js', 'throw 1'), entry('etc/ld.so.preload', '/evil.so\n')];
    await subject.image('trapped', [...traps, ...libraries, ...settings]);
    await using container = await subject.created('true', { config: { Image: 'trapped', Cmd: ['/bin/busybox', 'sleep', '600'] } });
    for (const state of ['created', 'running']) {
      if (state === 'running') await subject.engine.containers.start(container.id);
      await subject.put(container.id, '/tmp', bytes);
      assert.ok((await subject.get(container.id, '/tmp/unpacked')).includes('yes'));
      assert.deepEqual(
        (await subject.engine.containers.changes(container.id)).filter(({ path }) => path.includes('trap')),
        [],
      );
    }
    assertCanary();
  });
}

const links: Readonly<Record<string, readonly Buffer[]>> = {
  'a hard link to a symlink to the machine, with a mode': [link('p', `${canary}/file`), hardlink('h', 'p')],
  'a hard link to a symlink to a folder of the machine': [link('p', canary), hardlink('h', 'p')],
  'a hard link through a symlink to the machine': [link('p', canary), hardlink('h', 'p/file')],
  'a hard link that climbs': [hardlink('h', `${climb}run/canary/file`)],
  'a file over a symlink to the machine': [link('p', `${canary}/file`), entry('p', 'evil')],
  'a file below a symlink to the machine': [link('p', canary), entry('p/new', 'evil')],
  'a folder over a symlink to the machine': [link('p', canary), header({ name: 'p/', type: '5', mode: 0o777, uid: 7 })],
  'a symlink in place of the root': [link('./', canary), entry('new', 'evil')],
  'a symlink called /': [link('/', canary), entry('new', 'evil')],
  'a whiteout of the machine': [link('p', canary), entry('p/.wh.file', '')],
  'an opaque mark in a folder of the machine': [link('p', canary), entry('p/.wh..wh..opq', '')],
};

for (const [what, entries] of Object.entries(links)) {
  test(`SEC-06 SEC-08 ${what} changes nothing outside, in a layer, an import and a copy into a container`, async () => {
    const { images } = subject.engine;
    const layered = makeImage({
      reference: 'evil:latest',
      layers: [tar(...entries), tar(entry('x', 'next layer'))],
      config: { Cmd: ['x'] },
    });
    await Promise.allSettled([
      images.load(once(layered.archive), {}),
      images.import({ tar: once(tar(...entries)), reference: 'evil:imported', changes: [] }),
    ]);
    assertCanary();
    await using created = await subject.created();
    await subject.put(created.id, '/tmp', tar(...entries)).catch(() => undefined);
    await using running = await subject.sleeping();
    await subject.put(running.id, '/', tar(...entries)).catch(() => undefined);
    assertCanary();
    assert.equal((await subject.exec(running.id, ['stat', '-c', '%F', '/'])).stdout, 'directory\n');
  });
}

test('SEC-15 the image’s files are never copied into a volume that has some', async () => {
  await subject.image('seeded', [folder('data'), entry('data/image', 'of the image'), entry('data/both', 'of the image')]);
  const hostConfig = { ...none, Binds: ['filled:/data'] };
  await subject.run('echo -n mine > /data/both', { hostConfig });
  assert.equal((await subject.run('cat /data/*; ls /data', { config: { Image: 'seeded' }, hostConfig })).stdout, 'mineboth\n');
  await subject.engine.volumes.remove('filled', { force: true });
});

test('SEC-15 the image’s files are written inside the volume only, whatever symlinks stand there', async () => {
  await subject.image('writer', [
    folder('data'),
    entry('data/x', 'of the image'),
    link('data/abs', canary),
    link('data/way', canary),
    entry('data/sub/new', 'of the image'),
  ]);
  const hostConfig = { ...none, Binds: ['planted:/data'] };
  const { mountpoint } = await subject.engine.volumes.create({ name: 'planted' });
  symlinkSync(join(canary, 'file'), join(mountpoint, 'x'));
  symlinkSync(canary, join(mountpoint, 'sub'));
  const { stdout } = await subject.run('readlink /data/x; readlink /data/sub', { config: { Image: 'writer' }, hostConfig });
  assert.equal(stdout, `${canary}/file\n${canary}\n`);
  assertCanary();
  await subject.engine.volumes.remove('planted', { force: true });
  assert.equal(
    (await subject.run('ls /data; readlink /data/way', { config: { Image: 'writer' }, hostConfig })).stdout,
    `abs\nsub\nway\nx\n${canary}\n`,
  );
  assertCanary();
  await subject.engine.volumes.remove('planted', { force: true });
});

for (const [what, { entries, target, ls }] of Object.entries({
  'a symlink to a folder of the machine': { entries: [link('x', canary)], target: '/x', ls: '' },
  'a symlink that climbs to one': { entries: [link('x', `${climb}run/canary`)], target: '/x', ls: '' },
  'a path behind a symlink': { entries: [link('x', '/run')], target: '/x/canary', ls: '' },
  'a path that climbs': { entries: [], target: '/../../run/canary', ls: '' },
  'a symlink to /etc of the image': { entries: [link('x', '../../../../etc')], target: '/x', ls: 'group\n' },
  'a symlink to /proc of the machine': {
    entries: [link('x', '/data'), link('data', '/proc/1/root/run/canary')],
    target: '/x',
    ls: undefined,
  },
})) {
  test(`SEC-23 a VOLUME of the image at ${what} has files of the image at most`, async () => {
    await subject.image('volumes', entries, { Volumes: { [target]: {} } });
    try {
      const { stdout } = await subject.run(`ls ${target} | grep -vE "^(hosts|hostname|resolv.conf|mtab|passwd)$"`, {
        config: { Image: 'volumes' },
      });
      assert.equal(stdout, ls);
    } catch (error) {
      if (error instanceof assert.AssertionError || ls !== undefined) throw error;
    }
    assertCanary();
  });
}

test('SEC-09 a small archive that unpacks to much behind its end, and headers that claim much, take no memory', async () => {
  await using container = await subject.created();
  const zeros = gzipSync(Buffer.concat([entry('small', 'x'), Buffer.alloc(128 * 2 ** 20)]));
  const usedBytes = process.memoryUsage.rss();
  await subject.put(container.id, '/tmp', zeros).catch(() => undefined);
  const claims = tar(header({ name: '././@LongLink', type: 'L', size: 2 ** 30, magic: 'ustar  \0' }), body('x'));
  const began = performance.now();
  await assert.rejects(subject.put(container.id, '/tmp', claims), { code: 'invalid_argument' });
  assert.ok(performance.now() - began < 5_000);
  assert.ok(process.memoryUsage.rss() - usedBytes < 64 * 2 ** 20, `${(process.memoryUsage.rss() - usedBytes) / 2 ** 20} MiB`);
});

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, 'waited for 5 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
