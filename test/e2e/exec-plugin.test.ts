import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { PluginDetails } from '@gantry/sdk/client';
import { busyboxImage } from '../support/images/busybox.ts';
import { Daemon } from '../support/engine/daemon.ts';
import { DockerApi } from '../support/clients/docker-api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { program } from '../support/machine/stranger.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const options = { skip: spawnSync('docker', ['--version']).error !== undefined && 'needs the docker CLI', timeout: 120_000 };
const folder = mkdtempSync(join(tmpdir(), 'exec-plugin-'));
const dir = join(folder, 'crun-runtime');
let daemon: Daemon;
before(async () => {
  daemon = await Daemon.start({ folder });
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
  await docker('load', '-i', join(folder, 'busybox.tar'));
  cpSync(join(import.meta.dirname, '../examples/crun-runtime'), dir, { recursive: true });
});
after(() => daemon[Symbol.asyncDispose]());

async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new DockerApi(daemon.places.socketPath).docker(args);
  assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}\n${daemon.log.slice(-4000)}`);
  return stdout.trimEnd();
}
async function plugin(...args: readonly string[]): Promise<string> {
  const env = { GANTRY_HOST: `unix://${daemon.places.socketPath}` };
  const { code, stdout, stderr } = await program('core/bin/gantry.mjs', ['plugin', ...args], { env });
  assert.equal(code, 0, `gantry plugin ${args.join(' ')}: ${stderr}\n${daemon.log.slice(-4000)}`);
  return stdout.trimEnd();
}
async function inspect(): Promise<PluginDetails> {
  const [found] = JSON.parse(await plugin('inspect', 'crun-runtime')) as readonly PluginDetails[];
  return found ?? assert.fail();
}
const pidOf = (container: string) => docker('inspect', '-f', '{{.State.Pid}} {{.State.Running}} {{.RestartCount}}', container);

/** It is the same process, can be looked into, and its output goes on. */
async function livesOn(pid: string): Promise<void> {
  assert.equal(await pidOf('lives'), pid);
  const lines = await docker('logs', '--tail', '1', 'lives');
  assert.equal(await docker('exec', 'lives', 'cat', '/proc/1/comm'), 'sh');
  await docker('exec', 'lives', 'sh', '-c', 'sleep 0.3');
  assert.notEqual(await docker('logs', '--tail', '1', 'lives'), lines);
}

test(
  'docker run --runtime takes a plugin of one line, and the container outlives its kill, upgrade, removal and the engine',
  options,
  async () => {
    const privileges = [{ name: 'runtimes', description: 'OCI runtimes that run as root', value: ['crun --cgroup-manager=cgroupfs'] }];
    await plugin('install', '--grant-all-permissions', dir);
    assert.deepEqual((await inspect()).privileges, privileges);
    assert.match(await docker('info', '-f', '{{range $name, $_ := .Runtimes}}{{$name}} {{end}}'), /\bcrun-runtime\b/);
    const loop = 'n=0; while :; do n=$((n+1)); echo $n; usleep 100000; done';
    await docker('run', '-d', '--name', 'lives', '--network', 'none', '--runtime', 'crun-runtime', 'busybox', 'sh', '-c', loop);
    const pid = await pidOf('lives');
    assert.match(await commandOfMonitor(pid), /--runtime \/usr\/bin\/crun .*--runtime-arg --cgroup-manager=cgroupfs/);

    const { pid: first = 0 } = await inspect();
    process.kill(first, 'SIGKILL');
    await livesOn(pid);
    for (const name of ['gantry-plugin.json', 'main.ts']) {
      const place = join(dir, name);
      writeFileSync(
        place,
        readFileSync(place, 'utf8').replace("name: 'crun-runtime',", "name: 'crun-runtime', version: '0.2.0',").replace('0.1.0', '0.2.0'),
      );
    }
    assert.equal(await plugin('upgrade', 'crun-runtime'), 'crun-runtime: 0.1.0 -> 0.2.0');
    assert.notEqual((await inspect()).pid, first);
    await livesOn(pid);

    await daemon.kill('SIGKILL');
    daemon = await Daemon.start({ folder });
    await livesOn(pid);
    await plugin('rm', '-f', 'crun-runtime');
    await livesOn(pid);
    await docker('stop', '-t', '1', 'lives');
    assert.equal(await docker('inspect', '-f', '{{.State.ExitCode}}', 'lives'), '137');
    await docker('rm', 'lives');
  },
);

async function commandOfMonitor(pid: string): Promise<string> {
  const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid.split(' ')[0]}/status`, 'utf8')) ?? assert.fail();
  return readFileSync(`/proc/${parent}/cmdline`, 'utf8').replaceAll('\0', ' ');
}
