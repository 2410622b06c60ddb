import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cases } from './world.ts';

const id = /^[0-9a-f]{64}$/;

/** Containers, and what is in them. */
export const containerCases: Cases = {
  'attach, container attach': async ({ both, container }, command) => {
    const name = await container(['sh', '-c', 'read line; echo got $line; echo bad >&2; exit 4'], ['-i']);
    assert.deepEqual(await both([...command, name], { input: 'a word\n' }), { code: 4, stdout: 'got a word\n', stderr: 'bad\n' });
  },
  'commit, container commit': async ({ docker, container }, command) => {
    const name = await container();
    await docker('exec', name, 'touch', '/made');
    const made = await docker(...command, '-a', 'me', '-m', 'why', '-c', 'ENV A=b', '-c', 'CMD ["ls", "/made"]', name, 'committed:1');
    const shown = await docker('image', 'inspect', '-f', '{{.Id}} {{.Author}} {{.Comment}} {{.Config.Cmd}}', 'committed:1');
    assert.equal(shown, `${made} me why [ls /made]`);
    assert.equal(await docker('run', '--rm', 'committed:1', 'sh', '-c', 'echo $A; ls /made'), 'b\n/made');
    await docker('rmi', 'committed:1');
  },
  'cp, container cp': async (world, command) => {
    const [name, folder] = [await world.container(), world.folder()];
    writeFileSync(join(folder, 'in'), 'content');
    await world.docker(...command, join(folder, 'in'), `${name}:/tmp/there`);
    assert.equal(await world.docker('exec', name, 'cat', '/tmp/there'), 'content');
    await world.docker(...command, `${name}:/tmp/there`, join(folder, 'out'));
    assert.equal(readFileSync(join(folder, 'out'), 'utf8'), 'content');
  },
  'create, container create': async (world, command) => {
    const name = world.name();
    const made = await world.docker(...command, '--name', name, '-l', 'a=b', '-e', 'C=d', '--memory', '64m', 'busybox', 'echo', 'hi');
    assert.match(made, id);
    assert.equal(
      await world.inspect(name, '{{.Id}} {{.State.Status}} {{.Config.Labels.a}} {{.HostConfig.Memory}} {{.Path}} {{.Args}}'),
      `${made} created b ${64 * 2 ** 20} echo [hi]`,
    );
    assert.match(await world.refused(...command, '--name', name, 'busybox'), /Conflict\. The container name .* is already in use/);
  },
  'diff, container diff': async ({ docker, container }, command) => {
    const name = await container();
    await docker('exec', name, 'sh', '-c', 'touch /new; rm /etc/group; chmod 700 /home');
    assert.deepEqual((await docker(...command, name)).split('\n').toSorted(), ['A /new', 'C /etc', 'C /home', 'D /etc/group']);
  },
  'exec, container exec': async ({ both, docker, refused, container }, command) => {
    const name = await container();
    const script = 'id -un; pwd; echo $X; cat; echo bad >&2; exit 9';
    const flags = ['-i', '-u', 'nobody', '-w', '/tmp', '-e', 'X=y'];
    assert.deepEqual(await both([...command, ...flags, name, 'sh', '-c', script], { input: 'piped' }), {
      code: 9,
      stdout: 'nobody\n/tmp\ny\npiped',
      stderr: 'bad\n',
    });
    await docker(...command, '-d', name, 'sh', '-c', 'touch /made && mkfifo /done && echo > /done');
    await docker(...command, name, 'sh', '-c', 'until [ -p /done ]; do sleep 0.05; done; cat /done; ls /made');
    assert.match(await refused(...command, 'nope', 'true'), /No such container: nope/);
  },
  'export, container export': async (world, command) => {
    const [name, file] = [await world.container(), join(world.folder(), 'root.tar')];
    await world.docker('exec', name, 'sh', '-c', 'echo kept > /made');
    await world.docker(...command, '-o', file, name);
    assert.equal(execFileSync('tar', ['-xOf', file, 'made'], { encoding: 'utf8' }), 'kept\n');
    assert.equal((await world.docker(...command, name)).includes('kept'), true);
  },
  'container inspect': async ({ docker, refused, container }, command) => {
    const name = await container();
    assert.equal(await docker(...command, '-f', '{{.Name}} {{.State.Running}}', name), `/${name} true`);
    const [whole] = JSON.parse(await docker(...command, '-s', name)) as { readonly SizeRw?: number }[];
    assert.equal(typeof whole?.SizeRw, 'number');
    assert.match(await refused(...command, 'busybox'), /No such container: busybox/);
  },
  'kill, container kill': async ({ docker, refused, container }, command) => {
    const name = await container(['sh', '-c', 'trap "exit 9" USR1; mkfifo /up; echo > /up; while :; do sleep 0.05; done']);
    await docker('exec', name, 'sh', '-c', 'until [ -p /up ]; do sleep 0.05; done; cat /up');
    assert.equal(await docker(...command, '-s', 'USR1', name), name);
    assert.equal(await docker('wait', name), '9');
    assert.match(await refused(...command, name), /is not running/);
  },
  'logs, container logs': async ({ both, docker, container }, command) => {
    const name = await container(['sh', '-c', 'for i in 1 2 3; do echo $i; done; echo bad >&2']);
    await docker('wait', name);
    assert.deepEqual(await both([...command, name]), { code: 0, stdout: '1\n2\n3\n', stderr: 'bad\n' });
    assert.deepEqual(await both([...command, '-f', '-n', '2', name]), { code: 0, stdout: '3\n', stderr: 'bad\n' });
    assert.match(await docker(...command, '-t', '--details', name), /^\S+Z {2}1\n\S+Z {2}2\n\S+Z {2}3$/);
    assert.equal(await docker(...command, '--until', '2020-01-01', name), '');
  },
  'ps, container ls': async ({ docker, inspect, container }, command) => {
    const name = await container(undefined, ['-l', 'row=seven']);
    const made = await inspect(name, '{{.Id}}');
    assert.match(await docker(...command, '-a'), /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n/);
    const filters = ['--filter', 'label=row=seven', '--filter', 'status=running', '--filter', `name=^/${name}$`];
    assert.equal(await docker(...command, ...filters, '--format', '{{.Names}} {{.Image}} {{.State}}'), `${name} busybox running`);
    assert.equal(await docker(...command, '-q', '--no-trunc', '-n', '1'), made);
    assert.match(await docker(...command, '-s', ...filters, '--format', '{{.Size}}'), /^\d\S*B \(virtual \S+B\)$/);
    await docker('kill', name);
    assert.equal(await docker(...command, ...filters, '-q'), '');
  },
  'pause, container pause': async ({ docker, inspect, refused, container }, command) => {
    const name = await container();
    assert.equal(await docker(...command, name), name);
    assert.equal(await inspect(name, '{{.State.Status}} {{.State.Paused}}'), 'paused true');
    assert.match(await refused(...command, name), /is already paused/);
  },
  'unpause, container unpause': async ({ docker, inspect, refused, container }, command) => {
    const name = await container();
    await docker('pause', name);
    assert.equal(await docker(...command, name), name);
    assert.equal(await inspect(name, '{{.State.Status}}'), 'running');
    assert.match(await refused(...command, name), /is not paused/);
  },
  'port, container port': async ({ docker, refused, container }, command) => {
    const name = await container(['httpd', '-f', '-p', '80'], ['-p', '127.0.0.1:18090:80', '-p', '127.0.0.1:18091:53/udp']);
    assert.deepEqual((await docker(...command, name)).split('\n').toSorted(), ['53/udp -> 127.0.0.1:18091', '80/tcp -> 127.0.0.1:18090']);
    assert.equal(await docker(...command, name, '80'), '127.0.0.1:18090');
    assert.match(await refused(...command, name, '81'), /No public port '81/i);
  },
  'container prune': async ({ docker, inspect, container }, command) => {
    const [over, other] = [await container(['true'], ['-l', 'prune=me']), await container(['true'])];
    await docker('wait', over, other);
    const made = await inspect(over, '{{.Id}}');
    assert.match(
      await docker(...command, '-f', '--filter', 'label=prune=me'),
      new RegExp(`^Deleted Containers:\\n${made}\\n\\nTotal reclaimed space: `),
    );
    assert.equal(await docker('ps', '-aq', '--filter', `name=${over}`), '');
    assert.notEqual(await docker('ps', '-aq', '--filter', `name=${other}`), '');
  },
  'rename, container rename': async (world, command) => {
    const [name, other] = [await world.container(), world.name('renamed')];
    await world.docker(...command, name, other);
    assert.equal(await world.inspect(other, '{{.Name}} {{.State.Running}}'), `/${other} true`);
    assert.match(await world.refused('inspect', name), /[Nn]o such object/);
  },
  'restart, container restart': async ({ docker, inspect, container }, command) => {
    const name = await container();
    const earlier = await inspect(name, '{{.State.Pid}}');
    assert.equal(await docker(...command, '-t', '0', name), name);
    const [status, pid] = (await inspect(name, '{{.State.Status}} {{.State.Pid}}')).split(' ');
    assert.deepEqual([status, pid === earlier], ['running', false]);
  },
  'rm, container rm': async ({ docker, inspect, refused, container }, command) => {
    const name = await container(undefined, ['-v', '/anonymous']);
    const volume = await inspect(name, '{{(index .Mounts 0).Name}}');
    assert.match(await refused(...command, name), /container is running/);
    assert.equal(await docker(...command, '-fv', name), name);
    assert.match(await refused('volume', 'inspect', volume), /no such volume/);
    assert.match(await refused(...command, name), /No such container/);
  },
  'run, container run': async (world, command) => {
    const { both, docker } = world;
    const script = 'cat; echo bad >&2; exit 3';
    assert.deepEqual(await both([...command, '-i', '--rm', 'busybox', 'sh', '-c', script], { input: 'in' }), {
      code: 3,
      stdout: 'in',
      stderr: 'bad\n',
    });
    for (const [code, words] of [
      [127, ['busybox', 'nosuch']],
      [126, ['busybox', '/etc/passwd']],
      [125, ['nosuchimage:1']],
    ] as const)
      assert.equal((await both([...command, '--rm', ...words])).code, code);
    const file = join(world.folder(), 'id');
    const made = await docker(...command, '-d', '--cidfile', file, '--read-only', '--tmpfs', '/t', '-u', 'nobody', 'busybox', 'sleep', '9');
    assert.equal(readFileSync(file, 'utf8'), made);
    assert.equal(await docker('exec', made, 'sh', '-c', 'id -un; touch /x 2>/dev/null || echo ro; touch /t/x && ls /t'), 'nobody\nro\nx');
    assert.equal(await docker('ps', '-aq', '--filter', 'status=exited'), '');
  },
  'start, container start': async (world, command) => {
    const name = world.name();
    await world.docker('create', '--name', name, '-i', 'busybox', 'sh', '-c', 'cat; exit 5');
    assert.deepEqual(await world.both([...command, '-ai', name], { input: 'typed' }), { code: 5, stdout: 'typed', stderr: '' });
    assert.equal(await world.docker(...command, name), name);
    assert.match(await world.refused(...command, 'nope'), /No such container: nope/);
  },
  'stats, container stats': async ({ docker, inspect, container }, command) => {
    const [name, other] = [await container(), await container()];
    assert.match(await docker(...command, '--no-stream', name), /^CONTAINER ID +NAME +CPU % +MEM USAGE \/ LIMIT .*\n[0-9a-f]{12} +\S+ +\d/);
    const shown = await docker(...command, '--no-stream', '--no-trunc', '--format', '{{.ID}} {{.Name}} {{.PIDs}}');
    for (const each of [name, other]) assert.match(shown, new RegExp(`^${await inspect(each, '{{.Id}}')} ${each} 1$`, 'm'));
  },
  'stop, container stop': async ({ docker, inspect, container }, command) => {
    const name = await container(
      ['sh', '-c', 'trap "exit 8" TERM; mkfifo /up; echo > /up; while :; do sleep 0.05; done'],
      ['--stop-signal', 'TERM'],
    );
    await docker('exec', name, 'sh', '-c', 'until [ -p /up ]; do sleep 0.05; done; cat /up');
    assert.equal(await docker(...command, name), name);
    assert.equal(await inspect(name, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 8');
    const stubborn = await container(['sh', '-c', 'trap "" TERM; sleep 1000'], ['--stop-signal', 'TERM']);
    await docker(...command, '-t', '0', stubborn);
    assert.equal(await inspect(stubborn, '{{.State.ExitCode}}'), '137');
    await docker(...command, stubborn);
  },
  'top, container top': async ({ docker, inspect, container }, command) => {
    const name = await container();
    const shown = await docker(...command, name);
    assert.match(shown, new RegExp(`^UID +PID +.*CMD\\nroot +${await inspect(name, '{{.State.Pid}}')} .* sleep 1000$`));
    assert.match(await docker(...command, name, '-o', 'pid,args'), /^PID +COMMAND\n\d+ +sleep 1000$/);
  },
  'update, container update': async ({ docker, inspect, container }, command) => {
    const name = await container();
    const flags = ['--memory', '64m', '--memory-swap', '64m', '--cpu-shares', '512', '--pids-limit', '77', '--restart', 'on-failure:3'];
    assert.equal(await docker(...command, ...flags, name), name);
    assert.equal(
      await inspect(name, '{{.HostConfig.Memory}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}'),
      `${64 * 2 ** 20} 512 77 on-failure`,
    );
    const limits = 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null';
    assert.equal(await docker('exec', name, 'sh', '-c', limits + '; true'), String(64 * 2 ** 20));
  },
  'wait, container wait': async ({ docker, refused, container }, command) => {
    const [one, two] = [await container(['sh', '-c', 'exit 3']), await container(['sh', '-c', 'sleep 0.3; exit 4'])];
    assert.equal(await docker(...command, one, two), '3\n4');
    assert.match(await refused(...command, 'nope'), /No such container: nope/);
  },
};
