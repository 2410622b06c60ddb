import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readMountinfo } from '@gantry/sdk/linux';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { withRemapUser } from '../support/machine/remap-user.ts';
import { until } from '../support/engine/logs-room.ts';

inNamespaces(import.meta.url);

const options = { skip: spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI', timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'userns-remap-'));
chmodSync(folder, 0o711);
const flags = ['--userns-remap', 'default'];
let daemon: Daemon;
const { docker, refused } = dockerCli(() => daemon);

before(async () => {
  withRemapUser();
  daemon = await Daemon.start({ folder: join(folder, 'engine'), flags });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(() => daemon[Symbol.asyncDispose]());

test('userns-remap: docker info says so, and containers are users of dockremap on the machine', options, async () => {
  assert.match(await docker('info', '--format', '{{.SecurityOptions}}'), /name=userns/);
  const id = await docker(
    'run',
    '-d',
    '-p',
    '127.0.0.1:8089:80',
    '-v',
    'site:/www',
    'busybox',
    'sh',
    '-c',
    'echo hi > /www/index.html; exec httpd -f -p 80 -h /www',
  );
  const pid = Number(await docker('inspect', '--format', '{{.State.Pid}}', id));
  assert.deepEqual([statSync(`/proc/${pid}`).uid, statSync(`/proc/${pid}`).gid], [300_000, 500_000]);
  assert.equal(await docker('inspect', '--format', '[{{.HostConfig.UsernsMode}}]', id), '[]');
  await until(async () => (await fetch('http://127.0.0.1:8089/').catch(() => undefined))?.status === 200);
  assert.equal(await (await fetch('http://127.0.0.1:8089/')).text(), 'hi\n');
  const mountpoint = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', 'site');
  assert.equal(statSync(join(mountpoint, 'index.html')).uid, 0);
  assert.match(await docker('top', id, '-eo', 'pid,uid,cmd'), /300000 +httpd/);
  await docker('rm', '-f', id);
  await docker('volume', 'rm', 'site');
});

test('userns-remap: docker cp, exec, commit, diff, export and build speak of the container’s owners', options, async () => {
  const id = await docker('run', '-d', 'busybox', 'sh', '-c', 'trap exit TERM; sleep 600 & wait');
  const file = join(folder, 'file');
  writeFileSync(file, 'x');
  chownSync(file, 1234, 4321);
  await docker('cp', '-a', file, `${id}:/kept`);
  await docker('exec', id, 'touch', '/roots');
  assert.equal(await docker('exec', id, 'stat', '-c', '%u:%g', '/kept', '/roots'), '1234:4321\n0:0');
  assert.equal(await docker('exec', '-u', '77', id, 'id', '-u'), '77');
  assert.equal(await docker('diff', id), 'A /kept\nA /roots');
  await docker('commit', id, 'committed');
  assert.equal(
    await docker('run', '--rm', '--userns', 'host', 'committed', 'stat', '-c', '%u:%g', '/kept', '/bin/busybox'),
    '1234:4321\n0:0',
  );
  await docker('export', '-o', join(folder, 'export.tar'), id);
  assert.match(
    spawnSync('tar', ['--numeric-owner', '-tvf', join(folder, 'export.tar'), 'kept'], { encoding: 'utf8' }).stdout,
    / 1234\/4321 /,
  );
  mkdirSync(join(folder, 'context'));
  writeFileSync(
    join(folder, 'context', 'Dockerfile'),
    'FROM busybox\nRUN touch /made && chown 5:6 /made && id -u > /who\nCOPY --chown=7:8 Dockerfile /copied\n',
  );
  await docker('build', '-q', '-t', 'built', join(folder, 'context'));
  assert.equal(await docker('run', '--rm', 'built', 'stat', '-c', '%u:%g', '/made', '/copied', '/who'), '5:6\n7:8\n0:0');
  await docker('rm', '-f', id);
});

test('userns-remap: what a step of a build mounts is its own: caches, stages, tmpfs', options, async () => {
  const context = join(folder, 'mounts');
  mkdirSync(context);
  const mounts = [
    '--mount=type=cache,target=/cache',
    '--mount=type=cache,target=/theirs,uid=5,gid=6,mode=0700,id=theirs',
    '--mount=type=bind,from=files,target=/files',
    '--mount=type=bind,target=/context,rw',
    '--mount=type=tmpfs,target=/fs',
  ];
  const script =
    'stat -c "%n %u:%g" /cache /theirs /files/f /context/Dockerfile /fs > /seen; echo x >> /cache/x; touch /fs/x /context/x; wc -l < /cache/x >> /seen';
  const text = (step: number) =>
    `FROM busybox AS files\nRUN echo f > /f && chown 7:8 /f\nFROM busybox\nRUN ${mounts.join(' ')} : ${step}; ${script}\n`;
  for (const step of [1, 2]) {
    writeFileSync(join(context, 'Dockerfile'), text(step));
    await docker('build', '-q', '-t', 'mounts', context);
    assert.deepEqual((await docker('run', '--rm', 'mounts', 'cat', '/seen')).split('\n'), [
      '/cache 0:0',
      '/theirs 5:6',
      '/files/f 7:8',
      '/context/Dockerfile 0:0',
      '/fs 0:0',
      String(step),
    ]);
  }
});

test('userns-remap: what needs the machine’s namespaces is refused as by dockerd, and runs with --userns=host', options, async () => {
  assert.match(
    await refused('run', '--rm', '--privileged', 'busybox', 'true'),
    /privileged mode is incompatible with user namespaces\. {2}You must run/,
  );
  assert.match(
    await refused('run', '--rm', '--network', 'host', 'busybox', 'true'),
    /cannot share the host's network namespace when user namespaces/,
  );
  assert.match(
    await refused('run', '--rm', '--pid', 'host', 'busybox', 'true'),
    /cannot share the host PID namespace when user namespaces/,
  );
  const everything = ['--privileged', '--network', 'host', '--pid', 'host', '--userns', 'host'];
  assert.match(await docker('run', '--rm', ...everything, 'busybox', 'cat', '/proc/self/uid_map'), /^\s*0\s+0\s+4294967295$/);
  await docker('run', '--rm', '--ipc', 'host', '--uts', 'host', 'busybox', 'true');
});

test(
  'userns-remap: docker inspect, ps -s and system df show what is so; a user that the container does not have is named',
  options,
  async () => {
    const big = [
      'sh',
      '-c',
      'dd if=/dev/zero of=/big bs=1M count=3 2> /dev/null; dd if=/dev/zero of=/v/big bs=1M count=5 2> /dev/null; sleep 600',
    ];
    const id = await docker('run', '-d', '--name', 'sized', '-v', 'sized:/v', 'busybox', ...big);
    const host = await docker('create', '--userns', 'host', 'busybox');
    const inspected = await docker(
      'inspect',
      '--format',
      '{{.HostConfig.UsernsMode}}|{{.HostConfig.Privileged}}|{{.GraphDriver.Name}}',
      id,
      host,
    );
    const driver = await docker('info', '--format', '{{.Driver}}');
    assert.deepEqual(inspected.split('\n'), [`|false|${driver}`, `host|false|${driver}`]);
    await until(async () => /"SizeRw": 31[0-9]{5}/.test(await docker('inspect', '--size', id)));
    assert.match(await docker('ps', '-s', '--filter', 'name=sized', '--format', '{{.Size}}'), /^3\.1\dMB \(virtual/);
    await until(async () => /^sized +1 +5\.2/m.test(await docker('system', 'df', '-v')));
    assert.match(await docker('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Size}}'), /^Local Volumes 1 5\.2\d*MB$/m);
    assert.match(
      await refused('run', '--rm', '-u', '70000', 'busybox', 'true'),
      /user 70000 is not in the user namespace of the container[\s\S]*--userns=host/,
    );
    assert.match(await refused('exec', '-u', '70000', id, 'true'), /user 70000 is not in the user namespace of the container/);
    await docker('rm', '-f', id, host);
    await docker('volume', 'rm', 'sized');
  },
);

test('userns-remap: a killed engine takes its containers over, restarts them, and leaves nothing', options, async () => {
  const id = await docker(
    'run',
    '-d',
    '--restart',
    'always',
    '-p',
    '127.0.0.1:8090:80',
    'busybox',
    'httpd',
    '-f',
    '-p',
    '80',
    '-h',
    '/etc',
  );
  const places = () => readMountinfo().filter(({ mountPoint }) => mountPoint.startsWith(join(folder, 'engine')));
  await daemon.kill();
  daemon = await Daemon.start({ folder: join(folder, 'engine'), flags });
  assert.equal(await docker('exec', id, 'id', '-u'), '0');
  await docker('restart', '-t', '1', id);
  await until(async () => (await fetch('http://127.0.0.1:8090/hosts').catch(() => undefined))?.status === 200);
  assert.match(await docker('exec', id, 'cat', '/proc/self/uid_map'), /0 +300000 +65536/);
  await docker('rm', '-f', id);
  await until(() => places().length === 0);
});

test('userns-remap: without ids, gantryd says in one line whom to give some', options, async () => {
  const earlier = readFileSync('/etc/subgid', 'utf8');
  writeFileSync('/etc/subgid', '');
  await assert.rejects(
    Daemon.start({ folder: join(folder, 'other'), flags: ['--userns-remap', 'dockremap'] }),
    /userns-remap: \/etc\/subgid has no ids for dockremap[\s\S]*usermod --add-subgids FIRST-LAST dockremap/,
  );
  writeFileSync('/etc/subgid', earlier);
});
