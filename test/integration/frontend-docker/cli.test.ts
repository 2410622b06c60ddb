import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { type DockerApi, dockerApi } from '../../support/clients/docker-api.ts';
import { memoryEngine } from '../../support/engine/memory-engine/index.ts';
import { Pty } from '../../support/clients/pty.ts';

// The real client against the memory engine: what it makes of answers, heads and streams, without a kernel behind them.
const skip = spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI';
let api: DockerApi & AsyncDisposable;
before(async () => void (api = await dockerApi(memoryEngine())));
after(() => api[Symbol.asyncDispose]());

test('docker run gives output, errors, exit codes and stdin', { skip }, async () => {
  assert.deepEqual(await api.docker(['run', '--rm', 'busybox', 'echo', 'hello']), { code: 0, stdout: 'hello\n', stderr: '' });
  assert.deepEqual(await api.docker(['run', '--rm', 'busybox', 'complain', 'no']), { code: 0, stdout: '', stderr: 'no\n' });
  assert.equal((await api.docker(['run', '--rm', 'busybox', 'exit', '7'])).code, 7);
  const input = 'x'.repeat(3 * 2 ** 20);
  const { stdout } = await api.docker(['run', '-i', '--rm', 'busybox', 'cat'], { input });
  assert.equal(stdout.length, input.length);
});

test('docker run --rm leaves no container', { skip }, async () => {
  await api.docker(['run', '--rm', '--name', 'gone', 'busybox', 'true']);
  assert.equal((await api.docker(['ps', '-aq', '--filter', 'name=gone'])).stdout, '');
});

test('docker exec gives the exit code, 127 for what is not there', { skip }, async () => {
  await api.docker(['run', '-d', '--name', 'target', 'busybox', 'sleep', '100']);
  assert.deepEqual(await api.docker(['exec', 'target', 'echo', 'in']), { code: 0, stdout: 'in\n', stderr: '' });
  assert.equal((await api.docker(['exec', 'target', 'exit', '5'])).code, 5);
  assert.equal((await api.docker(['exec', 'target', 'nosuch'])).code, 127);
  assert.equal((await api.docker(['exec', '-i', 'target', 'cat'], { input: 'piped' })).stdout, 'piped');
});

test('docker run -it joins a terminal, and ctrl-p ctrl-q leaves it running', { skip }, async () => {
  await using terminal = new Pty(['docker', 'run', '-it', '--name', 'tty', 'busybox', 'shell'], { env: api.environment });
  await terminal.expect(/ready/);
  terminal.type('typed\r');
  await terminal.expect(/typed/);
  terminal.type('\u0010\u0011');
  assert.equal(await terminal.exit, 0);
  assert.equal((await api.docker(['inspect', '-f', '{{.State.Status}}', 'tty'])).stdout, 'running\n');
  await using again = new Pty(['docker', 'attach', 'tty'], { env: api.environment });
  again.type('more\r');
  // Once by the terminal, which the client has not taken over yet, and once by the program.
  await again.expect(/more[^]*more/);
  await api.docker(['kill', 'tty']);
  assert.equal(await again.exit, 137);
});

test('docker version, info, ps, images, volume, network, df, events and plugin ls read their answers', { skip }, async () => {
  const commands = ['version', 'info', 'ps -a --size', 'images', 'volume ls', 'network ls', 'system df -v', 'plugin ls', 'history busybox'];
  commands.push(
    'inspect busybox',
    'network inspect bridge',
    'events --since 1 --until 2',
    'stats --no-stream',
    'diff target',
    'top target',
  );
  for (const command of commands) {
    const { code, stderr } = await api.docker(command.split(' '));
    assert.deepEqual([code, stderr], [0, ''], `docker ${command}`);
  }
});

test('docker swarm init is told that there is no swarm', { skip }, async () => {
  const { code, stderr } = await api.docker(['swarm', 'init']);
  assert.equal(code, 1);
  assert.match(stderr, /This node is not a swarm manager/);
});
