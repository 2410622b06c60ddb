import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, globSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HostConfig } from '@gantry/sdk/engine';
import { entry, endOfArchive } from '../../support/images/tar-builder.ts';
import { bytesOf, EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const first = 200_000;
/** Two ranges, as a user may have. */
const ranges = [
  { inside: 0, outside: first, size: 60_000 },
  { inside: 60_000, outside: 400_000, size: 5_536 },
];
const idMaps = { uids: ranges, gids: ranges };

/** Owners and names in a tar. */
function owners(tar: Buffer): readonly string[] {
  const { stdout } = spawnSync('tar', ['--numeric-owner', '-tvf', '-'], { input: tar, encoding: 'utf8', maxBuffer: 2 ** 28 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\S+ +(\S+) .* (\S+)$/, '$1 $2'))
    .toSorted();
}

const writing = 'mkdir /d && echo x > /d/f && chown 7:60002 /d/f && ln /d/f /d/hard && ln -s f /d/link && mkfifo /d/pipe';

for (const runtime of ['runc', 'crun'])
  void describe(`with ${runtime}`, () => {
    let under: EngineUnderTest;
    before(async () => {
      under = await EngineUnderTest.open({ containerDefaults: { idMaps }, defaultRuntime: runtime });
      chmodSync(under.folder, 0o711);
      await under.warm();
      await under.run('true', { hostConfig: { NetworkMode: 'bridge' } });
    });
    after(() => under[Symbol.asyncDispose]());

    test('a container has the user namespace that the engine gives, and is root in it', async () => {
      await using _nothingLeft = noLeaks();
      const script = [
        'id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map',
        'stat -c "%u:%g %n" / /bin/busybox /etc/hosts /etc/resolv.conf /etc/hostname /dev/shm',
        'touch /file; chown 60001:5 /file; stat -c "%u:%g" /file',
        'echo out > /dev/stdout; echo err > /dev/stderr; echo null > /dev/null',
        'cat /sys/kernel/mm/transparent_hugepage/enabled > /dev/null; ls /dev/mqueue; mount | grep -c cgroup > /dev/null',
      ].join('\n');
      const { stdout, stderr, exitCode } = await under.run(script);
      // crun gives root of a user namespace the streams that it has.
      const isOurs = () => assert.deepEqual([statSync('/dev/null').uid, statSync('/dev/null').gid], [0, 0]);
      isOurs();
      assert.equal((await under.run('cat; echo no input')).stdout, 'no input\n');
      await under.run('true', { config: { Tty: true } });
      isOurs();
      assert.deepEqual(
        [
          stdout
            .replaceAll(/ +/g, ' ')
            .trim()
            .split('\n')
            .map((line) => line.trim()),
          stderr,
          exitCode,
        ],
        [
          [
            '0',
            '0',
            '0 200000 60000',
            '60000 400000 5536',
            '0 200000 60000',
            '60000 400000 5536',
            ...['/', '/bin/busybox', '/etc/hosts', '/etc/resolv.conf', '/etc/hostname', '/dev/shm'].map((path) => `0:0 ${path}`),
            '60001:5',
            'out',
          ],
          'err\n',
          0,
        ],
      );
    });

    test('what a container writes is on the disk as it sees it, and a commit is the same layer as without a user namespace', async () => {
      await using _nothingLeft = noLeaks();
      const layers: unknown[] = [];
      for (const UsernsMode of ['', 'host']) {
        await using container = await under.created(`${writing}; touch -h -d @1000 /d/* /d /`, { hostConfig: { UsernsMode } });
        const { containers, images } = under.engine;
        await runToEnd(under, container.id);
        const tar = await bytesOf(await containers.export(container.id));
        const { id } = await containers.commit({ container: container.id, changes: [], pause: false });
        layers.push({
          layer: images.inspect(id).chainIds.at(-1),
          changes: await containers.changes(container.id),
          exported: owners(tar).filter((line) => / (d|bin)\//.test(line)),
        });
        await images.remove(id, { force: true, prune: true });
      }
      assert.deepEqual(layers[0], layers[1]);
      await using deleting = await under.created('rm /etc/group');
      await runToEnd(under, deleting.id);
      const changes = [
        { path: '/etc', kind: 'modified' },
        { path: '/etc/group', kind: 'deleted' },
      ];
      assert.deepEqual(await under.engine.containers.changes(deleting.id), changes);
      const { exported } = layers[0] as { readonly exported: readonly string[] };
      assert.ok(exported.includes('7/60002 d/f'), exported.join('\n'));
    });

    test('docker cp works where files of proc are mounted, over themselves as runtimes do it and elsewhere', async () => {
      await using _nothingLeft = noLeaks();
      // runc mounts none elsewhere in a user namespace.
      const Binds = runtime === 'crun' ? ['/proc/uptime:/up:ro'] : [];
      const hostConfig = { ReadonlyPaths: ['/proc/sys', '/proc/uptime'], Binds };
      await using running = await under.sleeping({ hostConfig });
      await under.put(running.id, '/tmp', Buffer.concat([entry('file', 'x'), endOfArchive]));
      assert.deepEqual(owners(await under.get(running.id, '/tmp/file')), ['0/0 file']);
      await assert.rejects(under.get(running.id, '/proc/uptime'), { code: 'not_found' });
    });

    test('docker cp speaks of owners as the container sees them, running or not, in its root and in volumes', async () => {
      await using _nothingLeft = noLeaks();
      const { volumes } = under.engine;
      const hostConfig = { Binds: ['cp:/v'] };
      {
        await using stopped = await under.created('true', { hostConfig });
        await using running = await under.sleeping({ hostConfig });
        const tar = Buffer.concat([
          entry('put/', '', { type: '5' }),
          entry('put/file', 'x', { uid: 60_003, gid: 9, mode: 0o600 }),
          endOfArchive,
        ]);
        for (const { id } of [stopped, running]) {
          for (const place of ['/', '/v', '/tmp']) {
            await under.put(id, place, tar);
            assert.deepEqual(owners(await under.get(id, `${place}/put`)), ['0/0 put/', '60003/9 put/file'], place);
          }
          await assert.rejects(under.put(id, '/', Buffer.concat([entry('beyond', 'x', { uid: 70_000 }), endOfArchive])), {
            code: 'invalid_argument',
            message: /beyond": owner 70000 is not in the user namespace of the container/,
          });
        }
        const { stdout } = await under.exec(running.id, ['stat', '-c', '%u:%g %n', '/put', '/put/file', '/v/put/file']);
        assert.deepEqual(stdout.trim().split('\n'), ['0:0 /put', '60003:9 /put/file', '60003:9 /v/put/file']);
        assert.equal(statSync(join((await volumes.inspect('cp')).mountpoint, 'put/file')).uid, 60_003);
      }
      await volumes.remove('cp', { force: true });
    });

    test('a volume belongs to root of the container and to root on the disk; a bind keeps its owners, unless it says idmap', async () => {
      await using _nothingLeft = noLeaks();
      const folder = mkdtempSync(join(tmpdir(), 'bind-'));
      chmodSync(folder, 0o777);
      writeFileSync(join(folder, 'roots'), 'x');
      const script =
        'touch /v/file /b/file; stat -c "%u:%g %n" /v /v/file /b/roots /b/file /m/roots /own/roots /i/bin/busybox; touch /m/other';
      const hostConfig: HostConfig = {
        Binds: ['named:/v', `${folder}:/b`, `${folder}:/m:idmap=uids=0-5-1`, `${folder}:/own:idmap`],
        Mounts: [{ Type: 'image', Source: 'busybox', Target: '/i' }],
      };
      const { stdout } = await under.run(script, { hostConfig });
      const seen = ['0:0 /v', '0:0 /v/file', '65534:65534 /b/roots', '0:0 /b/file', '5:0 /m/roots', '0:0 /own/roots', '0:0 /i/bin/busybox'];
      assert.deepEqual(stdout.trim().split('\n'), seen);
      const { mountpoint } = await under.engine.volumes.inspect('named');
      assert.deepEqual([statSync(join(mountpoint, 'file')).uid, statSync(join(folder, 'file')).uid], [0, first]);
      await under.engine.volumes.remove('named', { force: true });
    });

    test('a volume that is a folder of the machine keeps its owners like a bind: root of a container makes no files of root’s there', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'bound-'));
      chmodSync(folder, 0o777);
      await under.engine.volumes.create({ name: 'bound', options: { type: 'none', o: 'bind', device: folder } });
      const { stdout } = await under.run('touch /v/file; stat -c %u /v', { hostConfig: { Binds: ['bound:/v'] } });
      assert.deepEqual([stdout, statSync(join(folder, 'file')).uid], ['65534\n', first]);
      await under.engine.volumes.remove('bound', { force: true });
    });

    test('execs, healthchecks, a terminal, an init, a working directory and another user work in a user namespace', async () => {
      await using _nothingLeft = noLeaks();
      const Healthcheck = { Test: ['CMD-SHELL', 'test "$(id -u)" = 0'], Interval: 200_000_000 };
      await using container = await under.sleeping({ config: { WorkingDir: '/made/here', Healthcheck } });
      const { stdout, stderr } = await under.exec(container.id, ['sh', '-c', 'id -u; pwd; stat -c %u .; echo e > /dev/stderr']);
      assert.deepEqual([stdout, stderr], ['0\n/made/here\n0\n', 'e\n']);
      assert.equal((await under.exec(container.id, ['id', '-u'], { user: '60001' })).stdout, '60001\n');
      assert.match((await under.exec(container.id, ['sh', '-c', 'tty; stat -c %u /dev/console'], { tty: true })).stdout, /\/dev\/pts\/0/);
      for (let waits = 0; container.inspect().state.health?.status !== 'healthy'; waits += 1) {
        assert.ok(waits < 600, 'it never was healthy');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const other = await under.run('id -u; echo x > /dev/stdout', { config: { User: '1000:1000', Tty: false } });
      assert.deepEqual([other.stdout, other.stderr], ['1000\nx\n', '']);
    });

    test('sysctls, tmpfs, limits, devices and a read-only root are as without a user namespace', async () => {
      await using _nothingLeft = noLeaks();
      const script = [
        'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ping_group_range; stat -c "%u:%a" /t; touch /x 2> /dev/null || echo refused',
        'ulimit -n; head -c 3 /dev/zero | wc -c; ls -l /dev/fuse | cut -c1; cat /proc/1/oom_score_adj; ping -c 1 127.0.0.1 > /dev/null && echo pinged',
      ];
      const hostConfig: HostConfig = {
        NetworkMode: 'bridge',
        Sysctls: { 'net.ipv4.ip_forward': '0' },
        Tmpfs: { '/t': 'mode=750' },
        ReadonlyRootfs: true,
        Ulimits: [{ Name: 'nofile', Soft: 77, Hard: 88 }],
        OomScoreAdj: 10,
        Devices: [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' }],
      };
      const { stdout, stderr } = await under.run(script.join('\n'), { hostConfig });
      assert.deepEqual(
        [stdout.replaceAll('\t', ' ').trim().split('\n'), stderr],
        [['0', '0 59999', '0:750', 'refused', '77', '3', 'c', '10', 'pinged'], ''],
      );
    });

    const refusals: readonly (readonly [what: string, hostConfig: HostConfig, message: RegExp])[] = [
      [
        'privileged',
        { Privileged: true },
        /^privileged mode is incompatible with user namespaces\. {2}You must run the container in the host namespace/,
      ],
      ['--network host', { NetworkMode: 'host' }, /^cannot share the host's network namespace when user namespaces are enabled$/],
      ['--pid host', { PidMode: 'host' }, /^cannot share the host PID namespace when user namespaces are enabled$/],
      ['--userns=private', { UsernsMode: 'private' }, /^invalid user namespace mode: private$/],
    ];
    for (const [what, hostConfig, message] of refusals) {
      test(`a container with ${what} is refused in Docker's words, and taken with --userns=host`, async () => {
        await assert.rejects(under.created('true', { hostConfig }), { code: 'invalid_argument', message });
        if (hostConfig.UsernsMode !== undefined) return;
        await using _taken = await under.created('true', { hostConfig: { ...hostConfig, UsernsMode: 'host' } });
      });
    }

    test('--userns=host gives the machine’s users, privileges and networks', async () => {
      await using _nothingLeft = noLeaks();
      const hostConfig = { UsernsMode: 'host', Privileged: true, NetworkMode: 'host', PidMode: 'host' };
      await using container = await under.sleeping({ hostConfig });
      assert.equal((await under.exec(container.id, ['cat', '/proc/self/uid_map'])).stdout.replaceAll(/ +/g, ' '), ' 0 0 4294967295\n');
      assert.equal(container.inspect().hostConfig.UsernsMode, 'host');
      assert.deepEqual((await under.exec(container.id, ['stat', '-c', '%u', '/etc/hosts', '/bin/busybox'])).stdout, '0\n0\n');
    });

    test('who shares a namespace of a container shares its user namespace, and needs one', async () => {
      await using _nothingLeft = noLeaks();
      const shareable = { NetworkMode: 'bridge', IpcMode: 'shareable' };
      await using donor = await under.sleeping({ name: 'donor', hostConfig: shareable });
      await using _other = await under.sleeping({ name: 'other', hostConfig: shareable });
      await using _hosts = await under.sleeping({ name: 'hosts', hostConfig: { ...shareable, UsernsMode: 'host' } });
      const joined = { NetworkMode: 'container:donor', IpcMode: 'container:donor', PidMode: 'container:donor' };
      await using guest = await under.sleeping({ hostConfig: joined });
      const space = async (id: string) => (await under.exec(id, ['sh', '-c', 'readlink /proc/self/ns/user /proc/self/ns/net'])).stdout;
      assert.equal(await space(guest.id), await space(donor.id));
      assert.equal((await under.exec(guest.id, ['ip', 'link', 'add', 'd0', 'type', 'dummy'])).exitCode, 2);
      await assert.rejects(
        under.run('true', { hostConfig: { NetworkMode: 'container:hosts' } }),
        /cannot share a namespace of container hosts, which has no user/,
      );
      await assert.rejects(
        under.run('true', { hostConfig: { NetworkMode: 'container:donor', IpcMode: 'container:other' } }),
        /cannot share namespaces of two containers that have different user namespaces/,
      );
      assert.equal((await under.run('true', { hostConfig: { NetworkMode: 'container:donor', UsernsMode: 'host' } })).exitCode, 0);
    });

    test('who has a user namespace can write nowhere on the way to its root', async () => {
      await using container = await under.sleeping();
      const folders = ['', 'containers', `containers/${container.id}`].map((name) => statSync(join(under.folder, 'exec', name)));
      assert.deepEqual(
        folders.map(({ mode, uid, gid }) => [(mode & 0o777).toString(8), uid, gid]),
        [
          ['711', 0, 0],
          ['711', 0, 0],
          ['710', 0, first],
        ],
      );
    });

    test('a network is reached from a user namespace, and a capability over it counts there', async () => {
      await using _nothingLeft = noLeaks();
      await using server = await under.sleeping({ name: 'server', hostConfig: { NetworkMode: 'bridge', CapAdd: ['NET_ADMIN'] } });
      assert.equal((await under.exec(server.id, ['ip', 'addr', 'add', '10.99.0.1/32', 'dev', 'lo'])).exitCode, 0);
    });

    test('an engine that was started again, with another setting, knows who runs with which users', async () => {
      await using restarted = await EngineUnderTest.open({ containerDefaults: { idMaps } });
      chmodSync(restarted.folder, 0o711);
      const id = await restarted.create('trap exit TERM; sleep 600 & wait');
      await restarted.engine.containers.start(id);
      await restarted.reopen({ containerDefaults: {} });
      const map = async () => (await restarted.exec(id, ['cat', '/proc/self/uid_map'])).stdout.trim().split(/\s+/).slice(0, 3);
      assert.deepEqual(await map(), ['0', String(first), '60000']);
      await restarted.put(id, '/', Buffer.concat([entry('file', 'x', { uid: 5 }), endOfArchive]));
      assert.deepEqual(owners(await restarted.get(id, '/file')), ['5/0 file']);
      await restarted.engine.containers.restart(id, { timeoutSeconds: 5 });
      assert.deepEqual(await map(), ['0', '0', '4294967295']);
      assert.equal((await restarted.exec(id, ['stat', '-c', '%u', '/file'])).stdout, '5\n');
      await restarted.engine.containers.remove(id, { force: true });
    });

    test('an exec root that root of the container cannot reach is told by name', async () => {
      await using closed = await EngineUnderTest.open({ containerDefaults: { idMaps } });
      await assert.rejects(closed.run('true'), { code: 'unavailable', message: new RegExp(`${closed.folder} is closed to them`) });
      assert.deepEqual(globSync(join(closed.folder, 'exec/{staged,layers,containers}/*')), []);
    });
  });

async function runToEnd({ engine: { containers } }: EngineUnderTest, id: string): Promise<void> {
  const { result } = containers.wait(id, 'next-exit');
  await containers.start(id);
  assert.equal((await result).exitCode, 0, readFileSync(containers.inspect(id).paths.log, 'utf8'));
}
