import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DockerApi, dockerApi } from '../support/clients/docker-api.ts';
import { memoryEngine } from '../support/engine/memory-engine/index.ts';
import { Pty } from '../support/clients/pty.ts';

const skip = spawnSync('docker', ['--version']).status === 0 ? false : 'needs the docker CLI';
const options = { skip, timeout: 60_000 };

/** What the engine under test can fetch: a volume plugin, its next version, one that does not start, and one that wants no privileges. */
const nfs = 'reg:5000/acme/nfs:1.4';
const next = 'reg:5000/acme/nfs:1.5';
const broken = 'reg:5000/acme/nfs:1.6-broken';
const quiet = 'acme/quiet:latest';

let api: DockerApi & AsyncDisposable;
const engine = memoryEngine();
before(async () => void (api = await dockerApi(engine)));
after(() => api[Symbol.asyncDispose]());

/** Runs `docker plugin ARGS`, which must succeed, and answers its output without the last newline. */
async function plugin(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.docker(['plugin', ...args]);
  assert.equal(code, 0, `docker plugin ${args.join(' ')}: ${stderr}`);
  return stdout.trimEnd();
}
/** Runs `docker plugin ARGS`, which must fail, and answers what it says. */
async function refused(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await api.docker(['plugin', ...args]);
  assert.notEqual(code, 0, `docker plugin ${args.join(' ')} should fail: ${stdout}`);
  return stderr.trimEnd();
}
const show = (name: string, format: string) => plugin('inspect', '-f', format, name);

test('docker plugin install shows the privileges, asks, and does nothing without a yes', options, async () => {
  await using terminal = new Pty(['docker', 'plugin', 'install', nfs], { env: api.environment });
  await terminal.expect(
    /Plugin "reg:5000\/acme\/nfs:1\.4" is requesting the following privileges:[^]*network: \[host\][^]*mount type: \[nfs4\]/,
  );
  terminal.type('n\r');
  assert.notEqual(await terminal.exit, 0);
  assert.doesNotMatch(await plugin('ls'), /nfs/);
});

test('docker plugin install fetches, sets and enables under the name of the reference', options, async () => {
  assert.match(
    await plugin('install', '--grant-all-permissions', nfs, 'SERVER=files'),
    /Digest: sha256:[0-9a-f]{64}\nStatus: Downloaded newer image for reg:5000\/acme\/nfs:1\.4\nInstalled plugin reg:5000\/acme\/nfs:1\.4/,
  );
  assert.match(
    await plugin('ls', '--format', '{{.Name}} {{.Enabled}} {{.Description}}'),
    /^reg:5000\/acme\/nfs:1\.4 true NFS for volumes$/m,
  );
  assert.equal(await show(nfs, '{{.Settings.Env}} {{.PluginReference}} {{.Config.Network.Type}}'), `[SERVER=files] ${nfs} host`);
  assert.match(await refused('install', '--grant-all-permissions', nfs), /plugin "reg:5000\/acme\/nfs:1\.4" already exists/);
});

test('docker plugin install --alias --disable leaves it off, under a name with the tag latest', options, async () => {
  await plugin('install', '--disable', '--alias', 'mine', quiet);
  assert.equal(await show('mine', '{{.Name}} {{.Enabled}}'), 'mine:latest false');
  await plugin('rm', 'mine');
});

test('docker plugin install of what does not start says why, and keeps it for another try', options, async () => {
  assert.match(
    await refused('install', '--grant-all-permissions', '--alias', 'bad', broken),
    /did not start: it ended with exit code 7[^]*no such server/,
  );
  assert.equal(await show('bad', '{{.Enabled}}'), 'true');
  await plugin('rm', '-f', 'bad');
});

test('docker plugin install of what no registry has fails with the words of the registry', options, async () => {
  assert.match(
    await refused('install', '--grant-all-permissions', 'reg:5000/acme/nope'),
    /manifest for reg:5000\/acme\/nope:latest not found/,
  );
});

test('docker plugin set, disable, enable', options, async () => {
  await plugin('set', nfs, 'SERVER=other', 'RETRIES=3');
  assert.equal(await show(nfs, '{{.Settings.Env}}'), '[SERVER=other RETRIES=3]');
  assert.match(await refused('set', nfs, 'RETRIES=many'), /RETRIES must be a whole number/);
  assert.match(await refused('set', nfs, 'NOPE=1'), /settings\.NOPE: no such setting/);
  assert.equal(await plugin('disable', nfs), nfs);
  assert.match(await refused('disable', nfs), /plugin reg:5000\/acme\/nfs:1\.4 is disabled/);
  assert.equal(await plugin('enable', nfs), nfs);
  assert.match(await refused('enable', nfs), /plugin reg:5000\/acme\/nfs:1\.4 is enabled/);
});

test('docker plugin disable and rm say who uses the plugin', options, async () => {
  const volume = { kind: 'volume', id: 'data', name: 'data', driver: 'volume/nfs' } as const;
  engine.plugins.use(nfs, [
    { ...volume, hard: false },
    { kind: 'container', id: 'ab12', name: 'web', driver: 'volume/nfs', hard: true },
  ]);
  assert.match(await refused('disable', nfs), /is in use by container web$/);
  assert.equal(await plugin('disable', '-f', nfs), nfs);
  assert.match(await refused('rm', nfs), /is in use by volume data, container web$/);
  engine.plugins.use(nfs, []);
});

test('docker plugin upgrade brings the next version and keeps the settings', options, async () => {
  await plugin('upgrade', '--grant-all-permissions', '--skip-remote-check', nfs, next);
  assert.equal(await show(nfs, '{{.PluginReference}} {{.Settings.Env}} {{.Enabled}}'), `${next} [SERVER=other RETRIES=3] false`);
  assert.match(
    await refused('upgrade', '--grant-all-permissions', '--skip-remote-check', nfs, 'acme/nope'),
    /manifest for acme\/nope:latest not found/,
  );
});

test('docker plugin ls filters by enabled and capability', options, async () => {
  const names = (filter: string) => plugin('ls', '--format', '{{.Name}}', '--filter', filter);
  assert.equal(await names('enabled=false'), nfs);
  assert.equal(await names('capability=volumedriver'), nfs);
  assert.equal(await names('capability=authz'), '');
  assert.match(await refused('ls', '--filter', 'nope=1'), /invalid filter 'nope'/);
  assert.match(await refused('ls', '--filter', 'enabled=maybe'), /invalid filter 'enabled=\[maybe\]'/);
});

test('docker plugin create takes a folder of Docker’s layout, push sends it, rm removes it', options, async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'plugin-'));
  mkdirSync(join(folder.path, 'rootfs'));
  writeFileSync(
    join(folder.path, 'config.json'),
    JSON.stringify({ Description: 'made here', Interface: { Types: ['docker.volumedriver/1.0'], Socket: 's.sock' } }),
  );
  assert.equal(await plugin('create', 'reg:5000/acme/made:1', folder.path), 'reg:5000/acme/made:1');
  assert.equal(await show('reg:5000/acme/made:1', '{{.Config.Description}} {{.Enabled}}'), 'made here false');
  assert.match(
    await plugin('push', 'reg:5000/acme/made:1'),
    /The push refers to repository \[reg:5000\/acme\/made\][^]*1: digest: sha256:[0-9a-f]{64} size: \d+/,
  );
  assert.equal(await plugin('rm', 'reg:5000/acme/made:1'), 'reg:5000/acme/made:1');
  assert.match(await refused('inspect', 'reg:5000/acme/made:1'), /plugin "?reg:5000\/acme\/made:1"? not found|No such plugin/i);
});

test('docker plugin inspect shows the config.json of a Docker plugin as it came', options, async () => {
  await plugin('install', '--grant-all-permissions', 'acme/vieux', 'SERVER=there');
  const [document] = JSON.parse(await plugin('inspect', 'acme/vieux')) as readonly { readonly Config: object; readonly Settings: object }[];
  assert.deepEqual(document?.Settings, {
    Args: [],
    Devices: [],
    Env: ['SERVER=there'],
    Mounts: [
      { Name: 'state', Description: '', Source: '/tmp', Destination: '/state', Type: 'bind', Options: ['rbind'], Settable: ['source'] },
    ],
  });
  assert.match(JSON.stringify(document.Config), /"Entrypoint":\["\/vieux"\].*"PropagatedMount":"\/mnt\/volumes"/);
  assert.equal(await plugin('ls', '--format', '{{.Name}}', '--filter', 'capability=volumedriver'), `acme/vieux:latest\n${nfs}`);
});

test('docker events --filter type=plugin and plugin=NAME tell what happened to it', options, async () => {
  const events = async (filter: string) =>
    (
      await api.docker([
        'events',
        '--since',
        '1',
        '--until',
        (Date.now() / 1e3).toFixed(3),
        '--filter',
        filter,
        '--format',
        '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}',
      ])
    ).stdout;
  const all = await events('type=plugin');
  for (const action of ['pull', 'enable', 'ready', 'disable', 'create', 'push', 'remove'])
    assert.match(all, new RegExp(`^plugin ${action} `, 'm'));
  const made = await events('plugin=reg:5000/acme/made:1');
  assert.equal(made, ['create', 'push', 'remove'].map((action) => `plugin ${action} reg:5000/acme/made:1\n`).join(''));
});
