import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { bindMount, mount, mountFlags, umount2, unmountFlags } from '@gantry/sdk/linux';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { until } from '../support/engine/logs-room.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { withoutRemapUser } from '../support/machine/remap-user.ts';

const programs = ['docker', 'useradd', 'usermod', 'groupadd'];
const lacking = programs.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
inNamespaces(import.meta.url, { missing: lacking && `needs ${lacking}` });

const folder = mkdtempSync(join(tmpdir(), 'userns-default-'));
chmodSync(folder, 0o711);
const flags = ['--userns-remap', 'default'];
const files = ['passwd', 'group', 'subuid', 'subgid'] as const;
const etc = () => Object.fromEntries(files.map((name) => [name, readFileSync(`/etc/${name}`, 'utf8')]));
const start = (name: string) => Daemon.start({ folder: join(folder, name), flags });
const logOf = (name: string) => readFileSync(join(folder, name, 'engine.log'), 'utf8');

beforeEach(withoutRemapUser);
afterEach(() => umount2('/etc', unmountFlags.detach));

test('userns-remap=default: the user dockremap and its ids are made when gantryd starts, once, with a line in its log', async () => {
  writeFileSync('/etc/subuid', 'alice:100000:65536\n');
  let daemon = await start('made');
  const { docker } = dockerCli(() => daemon);
  assert.match(readFileSync('/etc/passwd', 'utf8'), /^dockremap:x:\d+:\d+::\/nonexistent:\/bin\/false$/m);
  assert.match(readFileSync('/etc/group', 'utf8'), /^dockremap:x:\d+:$/m);
  const made = etc();
  assert.deepEqual([made['subuid'], made['subgid']], ['alice:100000:65536\ndockremap:165536:65536\n', 'dockremap:100000:65536\n']);
  await daemon.api.stream('POST', '/images/load?quiet=1', { body: busyboxImage().archive });
  const id = await docker('run', '-d', 'busybox', 'sleep', '600');
  const pid = await docker('inspect', '--format', '{{.State.Pid}}', id);
  assert.deepEqual([statSync(`/proc/${pid}`).uid, statSync(`/proc/${pid}`).gid], [165_536, 100_000]);
  await docker('rm', '-f', id);
  process.kill(daemon.pid, 'SIGHUP');
  await until(() => daemon.log.includes('settings were read anew'));
  assert.doesNotMatch(daemon.log, /these settings are as they were/);
  await daemon[Symbol.asyncDispose]();
  daemon = await start('made');
  await daemon[Symbol.asyncDispose]();
  assert.deepEqual(etc(), made);
  const lines = logOf('made')
    .split('\n')
    .filter((line) => line.includes('dockremap'));
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(lines[0] ?? '', /userns-remap: made the user, uids 165536-231071, gids 100000-165535 dockremap/);
});

test('userns-remap=default: gantryd --validate takes it, and makes nobody', () => {
  const before = etc();
  const { stdout, stderr } = gantryd('--validate', ...flags);
  assert.deepEqual([stdout, stderr], ['configuration OK\n', '']);
  assert.deepEqual(etc(), before);
});

test('userns-remap=default: a dockremap without ids, as a start leaves it that was cut off, is given some', async () => {
  spawnSync('useradd', ['--system', '--user-group', '--shell', '/bin/false', 'dockremap']);
  writeFileSync('/etc/subuid', 'dockremap:700000:65536\n');
  const daemon = await start('given');
  await daemon[Symbol.asyncDispose]();
  assert.equal(readFileSync('/etc/subgid', 'utf8'), 'dockremap:100000:65536\n');
  assert.match(logOf('given'), /userns-remap: made gids 100000-165535 of dockremap/);
});

const everything =
  'groupadd --system dockremap; useradd --system --gid dockremap --no-create-home --home-dir /nonexistent --shell /bin/false dockremap; ' +
  'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 dockremap';
const impossible: readonly (readonly [what: string, spoil: () => () => void, reason: string])[] = [
  [
    'on a read-only /etc',
    () => {
      mount('', '/etc', { flags: mountFlags.remount | mountFlags.bind | mountFlags.rdonly });
      return () => undefined;
    },
    'it needs ids in /etc/subuid and /etc/subgid: EROFS',
  ],
  [
    'without the programs that make users',
    () => {
      const empty = join(folder, 'empty');
      mkdirSync(empty);
      bindMount(empty, '/usr/sbin');
      return () => umount2('/usr/sbin', unmountFlags.detach);
    },
    'there is no groupadd on this machine',
  ],
  [
    'while somebody else holds the lock of /etc/passwd',
    () => {
      writeFileSync('/etc/passwd.lock', String(process.pid));
      return () => undefined;
    },
    'useradd: cannot lock /etc/passwd; try again later.',
  ],
];
for (const [index, [what, spoil, reason]] of impossible.entries())
  test(`userns-remap=default: ${what}, gantryd says in one line what to do instead`, async () => {
    const mended = spoil();
    await assert.rejects(start(`impossible-${index}`), (error: Error) => {
      const said = error.message.split('\n').filter((line) => line.includes('dockremap'));
      assert.equal(said.length, 2, error.message);
      assert.ok(said[0]?.includes(`userns-remap: default means the user dockremap, which cannot be made: ${reason}`), error.message);
      assert.ok(said[1]?.includes(`make it where that can be done, by ${everything}; or name a user that has ids`), error.message);
      return true;
    });
    mended();
  });

function gantryd(...words: readonly string[]): { readonly stdout: string; readonly stderr: string } {
  const program = new URL('../../core/bin/gantryd.mjs', import.meta.url).pathname;
  return spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...words], { encoding: 'utf8' });
}
