import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { collect, LifecycleUnderTest, testRoot } from '../../support/engine/lifecycle.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { file, header } from '../../support/images/test-images.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const root = testRoot();
let engine: LifecycleUnderTest;
before(async () => {
  engine = await LifecycleUnderTest.open(root.path);
  await engine.images.add('busybox');
  await engine.run('true');
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  root[Symbol.dispose]();
});
leakGuard();

const kept = ['-c', 'trap "exit 9" TERM; echo ready; while true; do sleep 0.05; done'];

test('Containers.start() runs a program to its end, with its output and its exit code', async () => {
  const { exitCode, stdout, stderr, container } = await engine.run('echo out; echo err >&2; exit 3');
  assert.deepEqual({ exitCode, stdout, stderr }, { exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
  const { status, running, pid, error } = container.state;
  assert.deepEqual({ status, running, pid, error }, { status: 'exited', running: false, pid: 0, error: '' });
});

for (const { args, code, end, Runtime } of [
  { args: ['nosuchprogram'], code: 127, end: 'exec: "nosuchprogram": executable file not found in $PATH' },
  { args: ['/nosuch'], code: 127, end: 'exec: "/nosuch": stat /nosuch: no such file or directory' },
  { args: ['/etc/passwd'], code: 126, end: 'exec: "/etc/passwd": permission denied' },
  { args: ['/etc'], code: 126, end: 'exec: "/etc": permission denied' },
].flatMap((row) => ['crun', 'runc'].map((name) => ({ ...row, Runtime: name })))) {
  test(`Containers.start() of ${args[0]} fails with ${Runtime}, leaves the container created and says ${code}`, async () => {
    const { id } = await engine.containers.create({
      config: { Image: 'busybox', Cmd: args },
      hostConfig: { NetworkMode: 'none', Runtime },
    });
    const removed = engine.containers.wait(id, 'removed').result;
    const { result } = engine.containers.wait(id, 'next-exit');
    const message = `OCI runtime create failed: unable to start container process: ${end}`;
    await assert.rejects(engine.containers.start(id), { message });
    assert.deepEqual(await result, { exitCode: code, error: message });
    const { status, exitCode, error } = engine.containers.inspect(id).state;
    assert.deepEqual([status, exitCode, error], ['created', code, message]);
    await engine.containers.remove(id);
    assert.deepEqual(await removed, { exitCode: code }, 'its removal did not fail');
  });
}

test('Containers.stop() sends the stop signal, Containers.start() starts again, both say not_modified when there is nothing to do', async () => {
  const id = await engine.create('', { config: { Image: 'busybox', Cmd: ['sh', ...kept] } });
  await assert.rejects(engine.containers.stop(id), { code: 'not_modified' });
  await engine.containers.start(id);
  await assert.rejects(engine.containers.start(id), { code: 'not_modified' });
  await ready(id);
  await engine.containers.stop(id);
  assert.equal(engine.containers.inspect(id).state.exitCode, 9);
  await engine.containers.start(id);
  assert.equal(engine.containers.inspect(id).state.status, 'running');
  await engine.containers.remove(id, { force: true });
});

test('Containers.stop() kills a program that ignores its signal when the time is up', async () => {
  const id = await engine.create('trap "" TERM; echo ready; while true; do sleep 0.05; done');
  await engine.containers.start(id);
  await ready(id);
  const begun = performance.now();
  await engine.containers.stop(id, { timeoutSeconds: 1 });
  assert.equal(engine.containers.inspect(id).state.exitCode, 137);
  assert.ok(performance.now() - begun < 3_000);
  await engine.containers.remove(id);
});

test('Containers.kill() and exec of a container that does not run are conflicts in Docker’s words', async () => {
  const id = await engine.create('true', { name: 'idle' });
  await assert.rejects(engine.containers.kill('idle'), {
    code: 'conflict',
    message: `cannot kill container: idle: container ${id} is not running`,
  });
  await assert.rejects(engine.containers.kill('nope'), {
    code: 'not_found',
    message: 'cannot kill container: nope: No such container: nope',
  });
  await assert.rejects(engine.containers.kill('idle', { signal: 'ZZ' }), { code: 'invalid_argument', message: /invalid signal: ZZ/ });
  await assert.rejects(engine.execs.create(id, { cmd: ['true'] }), { code: 'conflict', message: `container ${id} is not running` });
  await assert.rejects(engine.containers.create({ name: 'idle', config: { Image: 'busybox' }, hostConfig: {} }), {
    code: 'conflict',
    message: `Conflict. The container name "/idle" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
  });
  await engine.containers.remove('idle');
  await assert.rejects(engine.containers.remove(id), { code: 'not_found', message: `No such container: ${id}` });
});

test('Containers.remove() refuses a running container and with force takes it away with all it had', async () => {
  const id = await engine.create('sleep 60', { name: 'busy' });
  await engine.containers.start(id);
  await assert.rejects(engine.containers.remove(id), { code: 'conflict', message: /cannot remove container "busy": container is running/ });
  const removed = engine.containers.wait(id, 'removed');
  await engine.containers.remove(id, { force: true });
  assert.equal((await removed.result).exitCode, 137);
});

test('a container with AutoRemove is gone when its wait for removal is answered', async () => {
  const id = await engine.create('exit 4', { hostConfig: { NetworkMode: 'none', AutoRemove: true } });
  const { result } = engine.containers.wait(id, 'removed');
  await engine.containers.start(id);
  assert.equal((await result).exitCode, 4);
  assert.throws(() => engine.containers.inspect(id), { code: 'not_found' });
});

test('Containers.attach() connects to stdin and several clients, and ends with the process', async () => {
  const id = await engine.create('read line; echo "got $line"', {
    config: { Image: 'busybox', Cmd: ['sh', '-c', 'read line; echo "got $line"'], OpenStdin: true, StdinOnce: true },
  });
  const first = await engine.containers.attach(id, { stdin: true, stdout: true, stderr: true, stream: true });
  const second = await engine.containers.attach(id, { stdin: false, stdout: true, stderr: true, stream: true });
  const outputs = [collect(first.output), collect(second.output)];
  await engine.containers.start(id);
  await first.write(Buffer.from('hello\n'));
  assert.deepEqual(
    (await Promise.all(outputs)).map(({ stdout }) => stdout),
    ['got hello\n', 'got hello\n'],
  );
  await engine.containers.wait(id, 'not-running').result;
  await engine.containers.remove(id);
});

test('Containers.attach() with a terminal resizes it and is left by the detach keys', async () => {
  const id = await engine.create('', { config: { Image: 'busybox', Cmd: ['sh'], Tty: true, OpenStdin: true } });
  const attached = await engine.containers.attach(id, { stdin: true, stdout: true, stderr: true, stream: true, detachKeys: 'ctrl-x,x' });
  let seen = '';
  const output = (async () => {
    for await (const { data } of attached.output) seen += data.toString('utf8');
  })();
  await engine.containers.start(id);
  await engine.containers.resize(id, { rows: 33, columns: 99 });
  await attached.write(Buffer.from('stty size\r'));
  while (!/33 99/.test(seen)) await sleep(10);
  await attached.write(Buffer.from([0x18]));
  await attached.write(Buffer.from('x'));
  await output;
  assert.equal(engine.containers.inspect(id).state.running, true);
  await engine.containers.remove(id, { force: true });
});

test('Execs run with output, input and exit code, once, and are told as events', async () => {
  const id = await engine.create('sleep 60', {
    name: 'worker',
    config: { Image: 'busybox', Cmd: ['sleep', '60'], Env: ['FROM=config'], WorkingDir: '/made/here' },
  });
  await engine.containers.start(id);
  const { id: exec } = await engine.execs.create('worker', {
    cmd: ['sh', '-c', 'cat; pwd; echo $FROM $OWN; id -u; exit 5'],
    env: ['OWN=exec'],
    user: 'guest',
    attachStdin: true,
    attachStdout: true,
    attachStderr: true,
  });
  const { attached } = await engine.execs.start(exec, { detach: false });
  assert.ok(attached);
  await attached.write(Buffer.from('in\n'));
  await attached.end();
  assert.equal((await collect(attached.output)).stdout, 'in\n/made/here\nconfig exec\n1000\n');
  const { running, exitCode } = engine.execs.inspect(exec);
  assert.deepEqual({ running, exitCode }, { running: false, exitCode: 5 });
  await assert.rejects(engine.execs.start(exec, { detach: false }), { code: 'conflict' });
  const { id: wrong } = await engine.execs.create('worker', { cmd: ['nosuchprogram'], attachStdout: true });
  await assert.rejects(engine.execs.start(wrong, { detach: false }), /nosuchprogram/);
  assert.equal(engine.execs.inspect(wrong).exitCode, 127);
  await assert.rejects(engine.execs.create('worker', { cmd: ['true'], user: 'nobody-here' }), {
    code: 'invalid_argument',
    message: /unable to find user/,
  });
  await engine.containers.remove(id, { force: true });
});

test('an exec whose container is removed while it starts leaves nothing behind', async () => {
  for (let delayMs = 0; delayMs < 20; delayMs += 2) {
    const id = await engine.create('sleep 60');
    await engine.containers.start(id);
    const { id: exec } = await engine.execs.create(id, { cmd: ['sleep', '1'], attachStdout: true });
    const started = engine.execs.start(exec, { detach: false }).then(({ attached }) => attached?.[Symbol.asyncDispose]());
    await sleep(delayMs);
    await Promise.allSettled([started, engine.containers.remove(id, { force: true })]);
  }
});

test('Containers.pause() freezes, exec and a second pause are then conflicts, kill resumes', async () => {
  const id = await engine.create('sleep 60');
  await engine.containers.start(id);
  await engine.containers.pause(id);
  assert.equal(engine.containers.inspect(id).state.status, 'paused');
  await assert.rejects(engine.containers.pause(id), { code: 'conflict' });
  await assert.rejects(engine.execs.create(id, { cmd: ['true'] }), { code: 'conflict', message: /is paused/ });
  await engine.containers.unpause(id);
  await engine.containers.pause(id);
  await engine.containers.kill(id);
  assert.deepEqual(engine.containers.inspect(id).state.exitCode, 137);
  await engine.containers.remove(id);
});

test('a restart policy starts a failed container again as often as it says', async () => {
  const id = await engine.create('exit 1', {
    hostConfig: { NetworkMode: 'none', RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
  });
  await engine.containers.start(id);
  await until(() => engine.containers.inspect(id).state.status === 'exited');
  assert.equal(engine.containers.inspect(id).restartCount, 2);
  await engine.containers.remove(id);
});

test('Containers.stop() ends a container that always restarts', async () => {
  const id = await engine.create('exit 1', { hostConfig: { NetworkMode: 'none', RestartPolicy: { Name: 'always' } } });
  await engine.containers.start(id);
  await until(() => engine.containers.inspect(id).state.status === 'restarting');
  await engine.containers.stop(id);
  await sleep(300);
  assert.equal(engine.containers.inspect(id).state.status, 'exited');
  await engine.containers.remove(id);
});

test('binds, tmpfs and volumes are mounted, image content is copied into a new volume', async () => {
  const folder = mkdtempSync(join(root.path, 'bind-'));
  writeFileSync(join(folder, 'file'), 'host');
  const { stdout, exitCode } = await engine.run(
    'cat /mnt/bind/file; echo x > /mnt/bind/file 2>/dev/null || echo " read-only"; cat /etc/passwd | head -1 | cut -d: -f1; mount | grep -c "/mnt/tmp type tmpfs"; ls /vol',
    {
      hostConfig: {
        NetworkMode: 'none',
        Binds: [`${folder}:/mnt/bind:ro`, 'data:/vol', `${folder}/made/later:/later`],
        Tmpfs: { '/mnt/tmp': 'size=1m' },
      },
    },
  );
  assert.deepEqual([exitCode, stdout], [0, 'host read-only\nroot\n1\n']);
  assert.ok(statSync(join(folder, 'made/later')).isDirectory());
  const first = await engine.run('echo kept > /etc/kept; ls /etc', { hostConfig: { NetworkMode: 'none', Binds: ['etc:/etc'] } });
  assert.match(first.stdout, /group\nhostname\nhosts\nkept\nmtab\npasswd\nresolv.conf/);
});

test('what Docker shows of a container’s own files, name and limits', async () => {
  const { stdout } = await engine
    .run(
      'cat /etc/hostname; hostname; grep localhost /etc/hosts | head -1; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ulimit -n; df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; grep -E "^Cap(Inh|Amb)" /proc/self/status | tr -d "\\t"; cat /proc/sys/kernel/shmmax; id -G',
      {
        config: { Image: 'busybox', Hostname: 'web' },
        hostConfig: {
          NetworkMode: 'none',
          Ulimits: [{ Name: 'nofile', Soft: 123, Hard: 456 }],
          ShmSize: 1 << 20,
          Sysctls: { 'kernel.shmmax': '77777' },
          GroupAdd: ['users', '77'],
        },
      },
    )
    .catch((error: unknown) => assert.fail(String(error)));
  assert.deepEqual(stdout.split('\n'), [
    'web',
    'web',
    '127.0.0.1\tlocalhost',
    '0',
    '123',
    '1024',
    'CapInh:0000000000000000',
    'CapAmb:0000000000000000',
    '77777',
    '0 77 100',
    '',
  ]);
});

test('every container has the seccomp filter, also one whose filter was compiled before, and so have its execs', async () => {
  const probe = 'grep "^Seccomp:" /proc/self/status; unshare -U true 2>/dev/null || echo denied';
  assert.equal((await engine.run(probe)).stdout, 'Seccomp:\t2\ndenied\n');
  const id = await engine.create('sleep 60');
  await engine.containers.start(id);
  const { id: exec } = await engine.execs.create(id, { cmd: ['sh', '-c', probe], attachStdout: true });
  const { attached } = await engine.execs.start(exec, { detach: false });
  assert.equal((await collect(attached?.output ?? assert.fail())).stdout, 'Seccomp:\t2\ndenied\n');
  await engine.containers.remove(id, { force: true });
  const free = await engine.run('grep "^Seccomp:" /proc/self/status', {
    hostConfig: { NetworkMode: 'none', SecurityOpt: ['seccomp=unconfined'] },
  });
  assert.equal(free.stdout, 'Seccomp:\t0\n');
});

test('USER and WORKDIR of the image hold inside the container only', async () => {
  await engine.images.add('links', [
    header({ name: 'desk', type: '2', link: '/../../../../tmp' }),
    file('etc/passwd', 'ghost:x:4294967296:0::/:\n'),
  ]);
  const { stdout } = await engine.run('pwd', { config: { Image: 'links', Cmd: ['pwd'], WorkingDir: '/desk/inside' } });
  assert.equal(stdout, '/tmp/inside\n');
  assert.throws(() => statSync('/tmp/inside'));
  await assert.rejects(engine.run('id', { config: { Image: 'links', User: 'ghost' } }), { code: 'invalid_argument' });
});

test('a health check makes a container healthy, and unhealthy again', async () => {
  const id = await engine.create('sleep 60', {
    config: {
      Image: 'busybox',
      Cmd: ['sh', '-c', 'touch /ok; sleep 60'],
      Healthcheck: { Test: ['CMD-SHELL', 'ls /ok'], Interval: 20e6, Retries: 1 },
    },
  });
  await engine.containers.start(id);
  await until(() => engine.containers.inspect(id).state.health?.status === 'healthy');
  const { id: exec } = await engine.execs.create(id, { cmd: ['rm', '/ok'] });
  await engine.execs.start(exec, { detach: true });
  await until(() => engine.containers.inspect(id).state.health?.status === 'unhealthy');
  const last = engine.containers.inspect(id).state.health?.log.at(-1);
  assert.match(last?.output ?? '', /\/ok: No such file/);
  await engine.containers.remove(id, { force: true });
});

test('a container that is killed for want of memory says so', async () => {
  const { exitCode, container } = await engine.run('tail /dev/zero', {
    hostConfig: { NetworkMode: 'none', Memory: 16 << 20, MemorySwap: 16 << 20 },
  });
  assert.deepEqual([exitCode, container.state.oomKilled], [137, true]);
});

test('Containers.rename(), update(), top(), stats(), changes(), statPath() and export() work on a running container', async () => {
  const id = await engine.create('touch /new; sleep 60', { name: 'before' });
  await engine.containers.start(id);
  await engine.containers.rename('before', 'behind');
  await assert.rejects(engine.containers.rename('behind', 'a/b'), {
    message: 'Error when allocating new name: Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
  });
  await engine.containers.update('behind', { Memory: 64 << 20, MemorySwap: 64 << 20 });
  assert.equal(engine.containers.inspect('behind').hostConfig.Memory, 64 << 20);
  await until(async () => (await engine.containers.top('behind')).processes.some((row) => row.at(-1) === 'sleep 60'));
  const stats = await engine.containers.stats(id, { withPrevious: false });
  assert.equal(stats?.memory.limitBytes, 64 << 20);
  assert.deepEqual(await engine.containers.changes(id), [{ path: '/new', kind: 'added' }]);
  assert.equal((await engine.containers.statPath(id, '/new')).name, 'new');
  let size = 0;
  for await (const chunk of await engine.containers.export(id)) size += chunk.length;
  assert.ok(size > 1 << 20);
  await engine.containers.remove(id, { force: true });
});

test('Containers.list() filters and sorts, Containers.prune() takes what is over', async () => {
  const labels = { config: { Image: 'busybox', Cmd: ['true'], Labels: { group: 'one' } } };
  const ids = [await engine.create('', labels), await engine.create('', labels)];
  assert.deepEqual(
    engine.containers.list({ all: true, filters: { label: ['group=one'] } }).map(({ id }) => id),
    ids.toReversed(),
  );
  assert.deepEqual(engine.containers.list({ filters: { label: ['group=one'] } }), []);
  for (const wanted of [ids[0]?.slice(0, 12), `^${ids[0]}$`])
    assert.deepEqual(
      engine.containers.list({ all: true, filters: { id: [wanted ?? ''] } }).map(({ id }) => id),
      ids.slice(0, 1),
    );
  await assert.rejects(engine.containers.prune({ filters: { zz: ['1'] } }), { message: "invalid filter 'zz'" });
  assert.deepEqual((await engine.containers.prune({ filters: { label: ['group=one'] } })).deleted.toSorted(), ids.toSorted());
});

test('Containers.create() without an image makes an empty container, which still needs a command', async () => {
  const request = { hostConfig: { NetworkMode: 'none' } };
  await assert.rejects(engine.containers.create({ ...request, config: {} }), { code: 'invalid_argument', message: 'no command specified' });
  const { id } = await engine.containers.create({ ...request, config: { Cmd: ['/hello'] } });
  await assert.rejects(engine.containers.start(id), /hello/);
  await engine.containers.remove(id);
});

test('a failed create leaves neither name nor layer nor folder', async () => {
  await assert.rejects(
    engine.create('true', { name: 'half', hostConfig: { NetworkMode: 'none', LogConfig: { Type: 'json-file', Config: { zz: '1' } } } }),
    {
      code: 'invalid_argument',
    },
  );
  await assert.rejects(
    engine.create('true', {
      name: 'half',
      hostConfig: { NetworkMode: 'none', Mounts: [{ Type: 'bind', Source: '/no/such/source', Target: '/x' }] },
    }),
    {
      code: 'invalid_argument',
    },
  );
  await engine.containers.remove(await engine.create('true', { name: 'half' }));
});

async function ready(id: string): Promise<void> {
  const path = engine.containers.inspect(id).paths.log;
  await until(() => existsSync(path) && readFileSync(path, 'utf8').includes('ready'));
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await holds()); attempt += 1) {
    assert.ok(attempt < 500, 'waited for 5 s in vain');
    await sleep(10);
  }
}
