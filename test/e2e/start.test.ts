import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const support = join(import.meta.dirname, '../support');

test('npm start serves with an image to run, says how to use it, and ends with 0 on Ctrl-C', async () => {
  // Its data root is below /var.
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/var']);
  const child = spawn(process.execPath, [join(support, 'start.ts')], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
  let said = '';
  for await (const data of child.stdout) {
    said += String(data);
    if (!said.includes('Ctrl-C stops it')) continue;
    const gantry = join(support, '../../core/bin/gantry.mjs');
    const env = { ...process.env, DOCKER_HOST: 'unix:///run/gantry/gantry.sock' };
    assert.equal(execFileSync(process.execPath, [gantry, 'run', '--rm', 'busybox', 'echo', 'hello'], { env, encoding: 'utf8' }), 'hello\n');
    // As a terminal does: to the whole group.
    process.kill(-(child.pid ?? 0), 'SIGINT');
    break;
  }
  assert.match(said, /export DOCKER_HOST=unix:\/\/\/run\/gantry\/gantry\.sock/);
  assert.equal(await ended, 0);
});
