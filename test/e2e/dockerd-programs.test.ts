import assert from 'node:assert/strict';
import { cpSync, globSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { packManaged } from '../../sdk/managed/index.ts';
import { busyboxImage } from '../support/images/busybox.ts';
import type { Daemon } from '../support/engine/daemon.ts';
import { dockerCli } from '../support/clients/docker-cli.ts';
import { dockerRegistry } from '../support/servers/docker-registry.ts';
import { DockerdHouse } from '../support/clients/dockerd.ts';
import { prepareDockerd } from '../support/clients/dockerd-root.ts';
import { builtPlugins } from '../support/plugins/language-plugins.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { pidsOf } from '../support/machine/pids.ts';
import { writeFiles } from '../support/plugins/plugin-sources.ts';
import { rootBase } from '../support/machine/root-base.ts';
import { missingForSquashfuse, squashfsImage } from '../support/disks/squashfs.ts';

// Before the namespaces, which have no network.
const missing = prepareDockerd();
const go = builtPlugins('go').find(({ kind }) => kind === 'volume')?.built ?? { missing: 'needs a template' };
const python = builtPlugins('python').find(({ kind }) => kind === 'log')?.built ?? { missing: 'needs a template' };
inNamespaces(import.meta.url, { cgroups: 'v1', missing: missing === undefined ? undefined : `needs dockerd (${missing})` });

const folder = mkdtempSync(join(tmpdir(), 'dockerd-'));
let house: DockerdHouse;
let dockerd: Daemon;
const { docker, refused, both } = dockerCli(() => dockerd);
before(async () => {
  house = await DockerdHouse.open();
  dockerd = await house.start({ folder });
  writeFileSync(join(folder, 'busybox.tar'), busyboxImage().archive);
  await docker('load', '-i', join(folder, 'busybox.tar'));
});
after(async () => {
  await dockerd[Symbol.asyncDispose]();
  house[Symbol.dispose]();
});

const timeout = 120_000;
const skipOf = (built: typeof go): string | false => ('missing' in built ? built.missing : false);
const run = (...words: readonly string[]) => docker('run', '--rm', '--network', 'none', ...words);

/** The plugin's own folder as Docker keeps it. */
async function ownFolder(plugin: string): Promise<string> {
  return join(dockerd.places.dataRoot, 'plugins', await docker('plugin', 'inspect', '-f', '{{.Id}}', plugin), 'propagated-mount');
}

test("Docker's own daemon installs a Go plugin of ours from a registry, upgrades it while a container writes, and removes it", {
  timeout,
  skip: skipOf(go),
}, async () => {
  if ('missing' in go) return;
  await using registry = await dockerRegistry(join(folder, 'registry'));
  for (const version of ['0.1.0', '0.2.0']) {
    const dir = join(folder, `go-${version}`);
    cpSync(go.dir, dir, { recursive: true });
    const manifest = JSON.parse(readFileSync(join(dir, 'gantry-plugin.json'), 'utf8')) as object;
    writeFileSync(join(dir, 'gantry-plugin.json'), JSON.stringify({ ...manifest, description: `version ${version}` }));
    await packManaged({ dir, out: `${dir}-packed` });
    const name = `${registry.host}/acme/go:${version}`;
    await docker('plugin', 'create', name, `${dir}-packed`);
    await docker('plugin', 'push', name);
    await docker('plugin', 'rm', name);
  }
  await docker('plugin', 'install', '--grant-all-permissions', '--alias', 'acme/go', `${registry.host}/acme/go:0.1.0`);
  await docker('volume', 'create', '-d', 'acme/go', 'vol');
  assert.match(await refused('volume', 'create', '-d', 'acme/go', '-o', 'nope=1', 'other'), /nope/);
  const script = 'n=0; while :; do n=$((n+1)); echo $n >> /data/log || exit 9; sleep 0.01; done';
  await docker('run', '-d', '--name', 'writer', '--network', 'none', '-v', 'vol:/data', 'busybox', 'sh', '-c', script);
  await docker('plugin', 'disable', '-f', 'acme/go');
  await docker('plugin', 'upgrade', '--grant-all-permissions', '--skip-remote-check', 'acme/go', `${registry.host}/acme/go:0.2.0`);
  await docker('plugin', 'enable', 'acme/go');
  assert.equal(await docker('plugin', 'inspect', '-f', '{{.Config.Description}}', 'acme/go'), 'version 0.2.0');
  const numbers = (await docker('exec', 'writer', 'cat', '/data/log')).split('\n').map(Number);
  assert.deepEqual(
    numbers,
    Array.from(numbers, (_, at) => at + 1),
  );
  assert.equal(await docker('inspect', '-f', '{{.State.Running}} {{.RestartCount}}', 'writer'), 'true 0');
  assert.match(await run('-v', 'vol:/data', 'busybox', 'tail', '-n1', '/data/log'), /^\d+$/);
  await docker('rm', '-f', 'writer');
  await docker('volume', 'rm', 'vol');
  // By force: Docker loses count of uses when a plugin is disabled by force.
  await docker('plugin', 'rm', '-f', 'acme/go');
  assert.equal(await docker('plugin', 'ls', '-q'), '');
});

test("Docker's own daemon starts the program of a plugin again through us when it dies, and volumes stay", {
  timeout,
  skip: skipOf(go),
}, async () => {
  if ('missing' in go) return;
  await packManaged({ dir: go.dir, out: join(folder, 'go-packed') });
  await docker('plugin', 'create', 'acme/go', join(folder, 'go-packed'));
  await docker('plugin', 'enable', 'acme/go');
  await docker('volume', 'create', '-d', 'acme/go', 'vol');
  await run('-v', 'vol:/data', 'busybox', 'sh', '-c', 'echo kept > /data/x');
  for (const pid of pidsOf('/plugin/driver')) process.kill(pid, 'SIGKILL');
  assert.equal(await run('-v', 'vol:/data', 'busybox', 'cat', '/data/x'), 'kept');
  assert.equal(pidsOf('/plugin/driver').length, 1);
  await docker('volume', 'rm', 'vol');
  await docker('plugin', 'disable', 'acme/go');
  await docker('plugin', 'rm', 'acme/go');
  assert.deepEqual(pidsOf('/plugin/driver'), []);
});

test("the output of Docker's containers goes to a Python plugin of ours, on a base with Python", {
  timeout,
  skip: skipOf(python),
}, async () => {
  if ('missing' in python) return;
  const base = rootBase(
    join(folder, 'python-base'),
    ['/usr/bin/python3', ...globSync('/usr/lib/python3.*')],
    globSync(`${python.dir}/lib/**/*.so`),
  );
  const out = join(folder, 'python-packed');
  await assert.rejects(packManaged({ dir: python.dir, out }), { code: 'invalid_argument', message: /has no \/usr\/bin\/python3/ });
  assert.deepEqual(await packManaged({ dir: python.dir, out, base }), { notes: [] });
  await docker('plugin', 'create', 'acme/python', out);
  await docker('plugin', 'enable', 'acme/python');
  const id = await docker('run', '-d', '--network', 'none', '--log-driver', 'acme/python', 'busybox', 'sh', '-c', 'echo one; echo two >&2');
  await docker('wait', id);
  const file = join(await ownFolder('acme/python'), 'data/logs');
  let lines = '';
  for (let waits = 0; waits < 100 && !(lines.includes('one') && lines.includes('two')); waits += 1) {
    await sleep(100);
    lines = globSync(`${file}/*`)
      .map((path) => readFileSync(path, 'utf8'))
      .join('');
  }
  // Which comes first Docker does not say: they are two pipes.
  assert.match(lines, / one\n/);
  assert.match(lines, / two\n/);
  await docker('rm', id);
  await docker('plugin', 'disable', '-f', 'acme/python');
  await docker('plugin', 'rm', '-f', 'acme/python');
});

const noFuse = missingForSquashfuse() ?? false;

test("Docker's containers read a FUSE volume of ours, whose helper has no rights; after the plugin was killed the next container does", {
  timeout,
  skip: noFuse,
}, async () => {
  const dir = writeFiles(join(folder, 'fuse'), {
    'main.ts': `import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { mount, volume } from '@gantry/sdk/author';
export default volume({
  name: 'pictures',
  privileges: { mountTypes: ['fuse'] },
  create: ({ name }, { data }) => copyFileSync(join(import.meta.dirname, 'image'), data.path(name)),
  remove: ({ name }, { data }) => data.remove(name),
  attach: ({ name }) => [
    mount.fuse({ argv: ['squashfuse', '-f', '{path:image}', '{fd}'], paths: { image: { path: name, readOnly: true } }, readOnly: true }),
  ],
});
`,
    'gantry-plugin.json': {
      manifestVersion: 1,
      name: 'pictures',
      version: '1.0.0',
      provides: [{ contract: 'volume', versions: ['v1'], drivers: ['pictures'] }],
      entry: { node: 'main.ts' },
      privileges: { mountTypes: ['fuse'] },
    },
  });
  squashfsImage(join(dir, 'image'), { file: 'inside' });
  await packManaged({ dir, out: join(folder, 'fuse-packed'), base: rootBase(join(folder, 'fuse-base'), ['/usr/bin/squashfuse']) });
  await docker('plugin', 'create', 'acme/pictures', join(folder, 'fuse-packed'));
  await docker('plugin', 'enable', 'acme/pictures');
  await docker('volume', 'create', '-d', 'acme/pictures', 'pics');
  await docker('run', '-d', '--name', 'looks', '--network', 'none', '-v', 'pics:/data', 'busybox', 'sleep', '600');
  assert.equal(await docker('exec', 'looks', 'cat', '/data/file'), 'inside');
  assert.match(await docker('exec', 'looks', 'grep', ' /data ', '/proc/mounts'), / fuse\.squashfuse .*nosuid,nodev/);
  const [helper = 0] = pidsOf('squashfuse -f');
  assert.match(readFileSync(`/proc/${helper}/status`, 'utf8'), /^CapBnd:\t0+$/m);
  // All of the plugin's container, with the helper.
  for (const pid of pidsOf('/gantry/sdk/legacy/process')) process.kill(pid, 'SIGKILL');
  let seen = '';
  for (let waits = 0; waits < 200 && seen !== 'inside'; waits += 1) {
    await sleep(100);
    const { stdout } = await both('run', '--rm', '--network', 'none', '-v', 'pics:/data', 'busybox', 'cat', '/data/file');
    seen = stdout.trim();
  }
  assert.equal(seen, 'inside');
  await docker('restart', '-t', '0', 'looks');
  assert.equal(await docker('exec', 'looks', 'cat', '/data/file'), 'inside');
  await docker('rm', '-f', 'looks');
  await docker('volume', 'rm', 'pics');
  assert.deepEqual(pidsOf('squashfuse -f'), []);
  await docker('plugin', 'rm', '-f', 'acme/pictures');
  assert.deepEqual(
    house.mounts().filter(({ type }) => type.startsWith('fuse.')),
    [],
  );
});
