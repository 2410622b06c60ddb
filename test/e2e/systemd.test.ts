import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/images/busybox.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { missingForSystemd, Systemd } from '../support/machine/systemd.ts';

inNamespaces(import.meta.url, { cgroups: 'v2', missing: missingForSystemd() });

const timeout = 120_000;
const bin = join(import.meta.dirname, '../../core/bin');
let systemd: Systemd;
before(async () => {
  systemd = await Systemd.boot();
  settings({});
});
after(() => systemd[Symbol.asyncDispose]());

/** Runs a command under systemd, which must succeed. */
async function run(...command: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await systemd.run(...command);
  assert.equal(code, 0, `${command.join(' ')}: ${stdout}${stderr}\n${await journal()}`);
  return stdout.trimEnd();
}
const gantry = (...words: readonly string[]) => run(process.execPath, join(bin, 'gantry.mjs'), ...words);
const at = (...words: readonly string[]) => gantry('-H', 'unix:///run/gantry/gantry.sock', ...words);
async function pidOf(name: string): Promise<number> {
  const [found] = JSON.parse(await at('inspect', name)) as readonly { readonly State: { readonly Pid: number } }[];
  assert.ok(found !== undefined && found.State.Pid > 0);
  return found.State.Pid;
}
/** crun raises a limit for what it loads into the kernel, which needs a right that root has not everywhere. */
function settings(given: object): void {
  mkdirSync(systemd.path('/etc/gantry'), { recursive: true });
  writeFileSync(
    systemd.path('/etc/gantry/daemon.json'),
    JSON.stringify({ ...(existsSync('/usr/sbin/runc') && { 'default-runtime': 'runc' }), ...given }),
  );
}
const journal = async () => (await systemd.run('journalctl', '-q', '--no-pager', '-n', '40', '-u', 'gantry.service')).stdout;
const property = (name: string) => run('systemctl', 'show', '--value', '-p', name, 'gantry.service');

test('gantry system install: systemd listens, and starts the engine for the first client', { timeout }, async () => {
  assert.equal(await gantry('system', 'install'), '/etc/systemd/system/gantry.socket\n/etc/systemd/system/gantry.service');
  assert.equal(await run('systemctl', 'is-active', 'gantry.socket'), 'active');
  assert.equal(await run('systemctl', 'is-enabled', 'gantry.socket', 'gantry.service'), 'enabled\nenabled');
  assert.equal(await property('ActiveState'), 'inactive');
  assert.match(await at('version'), /Server/);
  assert.equal(await property('ActiveState'), 'active');
  assert.match(await property('StatusText'), /answers requests/);
});

test('a container runs on through a restart and a crash of the service, and its exit code is known', { timeout }, async () => {
  writeFileSync(systemd.path('/tmp/busybox.tar'), busyboxImage().archive);
  await at('load', '-q', '-i', '/tmp/busybox.tar');
  await at('run', '-d', '--name', 'stays', '--network', 'none', 'busybox', 'sh', '-c', 'while [ ! -e /end ]; do sleep 0.1; done; exit 42');
  const pid = await pidOf('stays');
  const first = await property('MainPID');
  await run('systemctl', 'restart', 'gantry.service');
  assert.equal(await pidOf('stays'), pid);
  const second = await property('MainPID');
  assert.notEqual(second, first);
  await run('kill', '-KILL', second);
  for (let tries = 0; [second, '0'].includes(await property('MainPID')); tries += 1) {
    assert.ok(tries < 100, 'it is not started again');
    await sleep(100);
  }
  assert.equal(await pidOf('stays'), pid);
  await at('exec', 'stays', 'touch', '/end');
  assert.equal(await at('wait', 'stays'), '42');
});

test('systemctl reload reads the settings anew; the watchdog is answered', { timeout }, async () => {
  settings({ labels: ['rack=7'] });
  await run('systemctl', 'reload', 'gantry.service');
  for (let tries = 0; !(await at('info', '--format', 'json')).includes('rack=7'); tries += 1) {
    assert.ok(tries < 100, await journal());
    await sleep(100);
  }
  assert.equal(await property('WatchdogUSec'), '1min');
  assert.equal(await property('NRestarts'), '1');
});

test('gantry system uninstall stops the engine, takes everything away, and leaves containers', { timeout }, async () => {
  await at('run', '-d', '--name', 'left', '--network', 'none', 'busybox', 'sleep', '1000');
  const pid = await pidOf('left');
  assert.equal(await gantry('system', 'uninstall'), '/etc/systemd/system/gantry.service\n/etc/systemd/system/gantry.socket');
  assert.equal(await property('LoadState'), 'not-found');
  assert.equal(existsSync(systemd.path('/run/gantry/gantry.sock')), false);
  assert.match(await run('cat', `/proc/${pid}/comm`), /sleep/);
  assert.equal(await gantry('system', 'uninstall'), '');
  await gantry('system', 'install');
  assert.equal(await pidOf('left'), pid);
  await at('rm', '-f', 'left');
  await gantry('system', 'uninstall');
});
