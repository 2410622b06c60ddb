import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { Pty } from '../support/clients/pty.ts';

inNamespaces(import.meta.url, { missing: spawnSync('docker', ['--version']).status === 0 ? undefined : 'needs the docker CLI' });

const options = { timeout: 90_000 };
const folder = mkdtempSync(join(tmpdir(), 'terminal-'));
let daemon: Daemon;
const { docker } = dockerCli(() => daemon);
before(async () => {
  daemon = await Daemon.start({ folder });
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
});
after(() => daemon[Symbol.asyncDispose]());

const [ctrlC, ctrlD, ctrlP, ctrlQ, ctrlBackslash] = ['\u0003', '\u0004', '\u0010', '\u0011', '\u001c'];
const on = (words: readonly string[], size: { readonly rows?: number; readonly columns?: number } = {}) =>
  new Pty(['docker', ...words], { env: new DockerApi(daemon.places.socketPath).environment, ...size });
const none = ['--network', 'none'];

test('ctrl-c on docker run -it interrupts what is in the foreground, and the shell goes on', options, async () => {
  await using terminal = on(['run', '-it', '--rm', ...none, 'busybox', 'sh']);
  await terminal.expect(/# /);
  terminal.type('sleep 1000; echo code $?\r');
  await sleep(500);
  terminal.type(ctrlC);
  await terminal.expect(/\^C[^]*# /);
  terminal.type('echo still $((1+1))\r');
  await terminal.expect(/still 2\r\n/);
  terminal.type(ctrlD);
  assert.equal(await terminal.exit, 0);
});

for (const [key, what, signal] of [
  [ctrlC, 'ctrl-c', 'INT'],
  [ctrlBackslash, 'ctrl-\\', 'QUIT'],
] as const)
  test(`${what} on docker run -it is the terminal's SIG${signal} for process 1`, options, async () => {
    const script = `trap "echo caught; exit 7" ${signal}; echo ready; while :; do sleep 0.1; done`;
    await using terminal = on(['run', '-it', '--rm', ...none, 'busybox', 'sh', '-c', script]);
    await terminal.expect(/ready\r\n/);
    terminal.type(key);
    await terminal.expect(/caught\r\n/);
    assert.equal(await terminal.exit, 7);
  });

test('ctrl-c on docker run without -t is passed on as SIGINT', options, async () => {
  const script = 'trap "echo caught; exit 7" INT; echo ready; while :; do sleep 0.1; done';
  await using terminal = on(['run', '--rm', ...none, 'busybox', 'sh', '-c', script]);
  await terminal.expect(/ready/);
  terminal.type(ctrlC);
  await terminal.expect(/caught/);
  assert.equal(await terminal.exit, 7);
});

test('docker exec -it: resized while it runs, left by the detach keys, and it goes on', options, async () => {
  await docker('run', '-d', '--name', 'target', ...none, 'busybox', 'sleep', '1000');
  await using terminal = on(['exec', '-it', '-e', 'A=b', 'target', 'sh'], { rows: 30, columns: 90 });
  await terminal.expect(/# /);
  terminal.resize(41, 121);
  await sleep(500);
  terminal.type('stty size; echo $A\r');
  await terminal.expect(/41 121\r\nb\r\n/);
  terminal.type('sleep 777\r');
  await sleep(300);
  terminal.type(`${ctrlP}${ctrlQ}`);
  await terminal.expect(/read escape sequence/);
  await terminal.exit;
  assert.match(await docker('top', 'target'), /sleep 777/);
});

test('docker exec -it ends with the code of a command that ctrl-c ended', options, async () => {
  await using terminal = on(['exec', '-it', 'target', 'sleep', '1000']);
  await sleep(1_000);
  terminal.type(ctrlC);
  assert.equal(await terminal.exit, 130);
  await docker('rm', '-f', 'target');
});

test('docker attach: its own detach keys, the size it has, two of them at once', options, async () => {
  await docker('run', '-dit', '--name', 'shared', ...none, 'busybox', 'sh');
  await using first = on(['attach', '--detach-keys', 'ctrl-x,d', 'shared'], { rows: 25, columns: 85 });
  await using second = on(['attach', 'shared'], { rows: 26, columns: 86 });
  for (const each of [first, second]) {
    each.type('\r');
    await each.expect(/# /);
  }
  first.type('echo said $((40+2))\r');
  await first.expect(/said 42\r\n/);
  await second.expect(/said 42\r\n/);
  first.type('\u0018d');
  await first.expect(/read escape sequence/);
  await first.exit;
  second.type('stty size\r');
  await second.expect(/2[56] 8[56]\r\n/);
  second.type('exit 9\r');
  assert.equal(await second.exit, 9);
  await docker('rm', 'shared');
});

test('docker start -ai: what is typed arrives, and its exit code is the command’s', options, async () => {
  await docker('create', '-it', '--name', 'begun', ...none, 'busybox', 'sh');
  for (const code of [3, 4]) {
    await using terminal = on(['start', '-ai', 'begun'], { rows: 27, columns: 87 });
    await terminal.expect(/# /);
    terminal.type('stty size\r');
    await terminal.expect(/27 87\r\n/);
    terminal.type(`exit ${code}\r`);
    assert.equal(await terminal.exit, code);
  }
  await docker('rm', 'begun');
});

for (const [words, shown] of [
  [['logs', '-f', 'watched'], /line/],
  // Of one container by name it would not end, whatever answers (docker/cli#6090).
  [['stats'], /watched/],
  [['events', '--since', '1'], /container create/],
] as const)
  test(`ctrl-c ends docker ${words[0]}, and its container goes on`, options, async () => {
    await docker('rm', '-f', 'watched').catch(() => '');
    await docker('run', '-d', '--name', 'watched', ...none, 'busybox', 'sh', '-c', 'while :; do echo line; sleep 0.2; done');
    await using terminal = on(words);
    await terminal.expect(shown);
    terminal.type(ctrlC);
    await Promise.race([terminal.exit, sleep(15_000).then(() => assert.fail('it goes on'))]);
    assert.equal(await docker('inspect', '-f', '{{.State.Running}}', 'watched'), 'true');
  });
