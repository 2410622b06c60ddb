import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import { driversAt } from '../../../plugins/compat/docker-plugin-v1/plugins.ts';
import { DockerPluginHost } from '../../support/plugins/docker-plugin-host.ts';
import { type DockerMethod, startDockerPlugin } from '../../support/plugins/docker-plugin.ts';
import { DockerVolumePlugin } from '../../support/plugins/docker-volume-plugin.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };
const attachment = { attachmentId: 'c1-v1', readOnly: false, options: {} };

test('DockerPlugins.find() answers at once that nobody has a name, and never takes a name for a path', async () => {
  await using host = new DockerPluginHost();
  await using _outside = await startDockerPlugin(join(host.root, 'outside.sock'), ['VolumeDriver'], {});
  await host.activation();
  const before = performance.now();
  for (const name of [
    'nobody',
    '',
    '.',
    '..',
    '../outside',
    '/etc/passwd',
    'a/b',
    'a\0b',
    '.hidden',
    'a..b',
    'n'.repeat(300),
    '__proto__',
  ]) {
    assert.equal(await host.find('volume', name), undefined, name);
  }
  assert.ok(performance.now() - before < 50);
});

test('DockerPlugins.find() finds sockets and spec files where Docker looks for them, and names() lists them by what they implement', async () => {
  await using host = new DockerPluginHost();
  const specs = join(host.root, 'specs');
  const elsewhere = join(host.root, 'elsewhere.sock');
  mkdirSync(join(specs, 'deep'));
  writeFileSync(join(specs, 'line.spec'), `unix://${elsewhere}\n`);
  writeFileSync(join(specs, 'deep', 'deep.json'), JSON.stringify({ Name: 'deep', Addr: `unix://${elsewhere}` }));
  writeFileSync(join(specs, 'broken.json'), '{');
  writeFileSync(join(host.root, 'sockets', 'file.sock'), '');
  await using _one = await startDockerPlugin(host.socket('plain'), ['VolumeDriver', 'IpamDriver'], {});
  await using _two = await startDockerPlugin(join(host.root, 'sockets', 'own', 'own.sock'), ['NetworkDriver'], {});
  await using _three = await startDockerPlugin(elsewhere, ['VolumeDriver'], {});
  assert.deepEqual(await host.names('volume'), ['deep', 'line', 'plain']);
  assert.deepEqual(await host.names('network'), ['own']);
  assert.deepEqual(await host.names('graph'), []);
  for (const name of ['deep', 'line', 'plain']) assert.ok(await host.find('volume', name), name);
  assert.equal(await host.find('volume', 'own'), undefined);
  await assert.rejects(host.find('volume', 'broken'), { code: 'invalid_argument', message: /broken\.json is not JSON/ });
});

test('DockerPlugins talks to tcp plugins, and refuses addresses that are none', async () => {
  await using host = new DockerPluginHost();
  const bad = ['', 'ftp://x', 'unix://relative', 'tcp://', '/run/x.sock', '{"Addr":1}', 'tcp://127.0.0.1:99999'];
  for (const [index, text] of bad.entries()) {
    writeFileSync(join(host.root, 'specs', `bad${index}.spec`), text);
    await assert.rejects(host.find('volume', `bad${index}`), { code: 'invalid_argument', message: /bad\d\.spec/ }, text);
  }
  writeFileSync(join(host.root, 'specs', 'away.spec'), 'tcp://127.0.0.1:9\n');
  await assert.rejects(host.find('volume', 'away'), { code: 'unavailable' });
});

test('DockerPlugins speaks Docker: one handshake for each start of a plugin, its media type, its host', async () => {
  await using host = new DockerPluginHost();
  const driver = await (async () => {
    await using first = await startDockerPlugin(host.socket('p'), ['VolumeDriver'], { 'VolumeDriver.List': () => ({ Volumes: null }) });
    const found = await host.driver('volume', 'p');
    for (let round = 0; round < 3; round += 1) assert.deepEqual(await Array.fromAsync(found.list({}, ctx)), []);
    assert.deepEqual(first.calls, ['Plugin.Activate', 'VolumeDriver.Capabilities', ...Array<string>(3).fill('VolumeDriver.List')]);
    const { accept, host: name } = first.headers;
    assert.deepEqual([accept, name], ['application/vnd.docker.plugins.v1.2+json', 'plugin.moby.localhost']);
    return found;
  })();
  await assert.rejects(driver.stat({ name: 'v1' }, ctx), { code: 'unavailable', message: /plugin p is not there/ });
  await using second = await startDockerPlugin(host.socket('p'), ['VolumeDriver'], {
    'VolumeDriver.Get': () => ({ Volume: { Name: 'v1' } }),
  });
  assert.equal((await driver.stat({ name: 'v1' }, ctx)).volume.name, 'v1');
  assert.deepEqual(second.calls, ['Plugin.Activate', 'VolumeDriver.Get']);
});

test('DockerPlugins takes sockets that are handed over, with or without a tag, and maps the folders of a plugin with a root of its own', async () => {
  const root = mkdtempSync(join(tmpdir(), 'handed-'));
  const socket = join(root, 'x.sock');
  const propagated = join(root, 'propagated');
  mkdirSync(join(propagated, 'vol'), { recursive: true });
  const scopes = [{ inside: '/mnt', host: propagated }];
  let mountpoint = '/mnt/vol';
  const methods = { 'VolumeDriver.Mount': () => ({ Mountpoint: mountpoint }), 'VolumeDriver.Unmount': () => ({}) };
  await using _plugin = await startDockerPlugin(socket, ['VolumeDriver'], methods);
  {
    await using host = new DockerPluginHost({ sockets: { 'acme/disk:latest': { socket, scopes } } });
    assert.deepEqual(await host.names('volume'), ['acme/disk:latest']);
    const driver = await host.driver('volume', 'acme/disk');
    assert.equal(await host.driver('volume', 'acme/disk:latest'), driver, 'one plugin, whatever it is called');
    const { attachment: made } = await driver.attach({ name: 'vol', ...attachment }, ctx);
    assert.deepEqual(made.mounts, [{ type: 'bind', source: { host: propagated, subpath: 'vol' } }]);
    for (const outside of ['/mntx/vol', '/etc', '/mnt/../etc', '/']) {
      mountpoint = outside;
      await assert.rejects(driver.attach({ name: outside.length.toString(), ...attachment }, ctx), { code: 'internal' }, outside);
    }
    await assert.rejects(driversAt({ name: 'x', socket, scopes, loggingFolder: '/run/x' }, 'log', await fakeHost()), { code: 'not_found' });
  }
  rmSync(root, { recursive: true });
});

test('a Docker volume plugin is asked to mount once for an attachment, also by an engine that was started anew', async () => {
  await using host = new DockerPluginHost();
  using plugin = new DockerVolumePlugin(join(host.root, 'plugin'));
  await using served = await startDockerPlugin(host.socket('p'), ['VolumeDriver'], plugin.methods);
  const driver = await host.driver('volume', 'p');
  await driver.create({ name: 'v1', options: {}, labels: {} }, ctx);
  for (let round = 0; round < 3; round += 1) await driver.attach({ name: 'v1', ...attachment }, ctx);
  await host.restart();
  const again = await host.driver('volume', 'p');
  await again.attach({ name: 'v1', ...attachment }, ctx);
  assert.equal(served.calls.filter((call) => call === 'VolumeDriver.Mount').length, 1);
  assert.deepEqual(plugin.users('v1'), ['c1-v1']);
  for (let round = 0; round < 2; round += 1) await again.detach({ name: 'v1', attachmentId: 'c1-v1', last: true }, ctx);
  assert.deepEqual(plugin.users('v1'), []);
});

test('a Docker volume plugin that lost its mount, as by a new start, is asked again', async () => {
  await using host = new DockerPluginHost();
  const folder = join(host.root, 'folder');
  await using served = await startDockerPlugin(host.socket('p'), ['VolumeDriver'], {
    'VolumeDriver.Mount': () => ({ Mountpoint: folder }),
  });
  const driver = await host.driver('volume', 'p');
  mkdirSync(folder);
  await driver.attach({ name: 'v1', ...attachment }, ctx);
  rmSync(folder, { recursive: true });
  mkdirSync(join(host.root, 'other'));
  mkdirSync(folder);
  await driver.attach({ name: 'v1', ...attachment }, ctx);
  assert.equal(served.calls.filter((call) => call === 'VolumeDriver.Mount').length, 2);
});

test('a Mount that was never answered is undone by detach, one that was refused is not', async () => {
  await using host = new DockerPluginHost();
  let answer: DockerMethod = () => undefined;
  const methods = { 'VolumeDriver.Mount': ((...given) => answer(...given)) satisfies DockerMethod, 'VolumeDriver.Unmount': () => ({}) };
  await using served = await startDockerPlugin(host.socket('p'), ['VolumeDriver'], methods);
  const driver = await host.driver('volume', 'p');
  const left = new AbortController();
  const hanging = driver.attach({ name: 'v1', ...attachment }, { ...ctx, signal: left.signal });
  setTimeout(() => left.abort(new DOMException('enough', 'AbortError')), 50);
  await assert.rejects(hanging, { name: 'AbortError' });
  await driver.detach({ name: 'v1', attachmentId: attachment.attachmentId, last: true }, ctx);
  answer = () => ({ Err: 'disk on fire' });
  await assert.rejects(driver.attach({ name: 'v1', ...attachment }, ctx), {
    code: 'internal',
    message: 'plugin p: VolumeDriver.Mount: disk on fire',
  });
  await driver.detach({ name: 'v1', attachmentId: attachment.attachmentId, last: true }, ctx);
  assert.deepEqual(served.calls, ['Plugin.Activate', 'VolumeDriver.Mount', 'VolumeDriver.Unmount', 'VolumeDriver.Mount']);
});

const mountpoints = [
  '',
  '../../etc',
  'relative',
  '/',
  '//',
  '/a/../../etc',
  '/proc/1/root',
  '/sys',
  '/dev/shm',
  '/no/such/folder',
  '/etc/passwd',
  '/a\0b',
  7,
];
test('a Docker volume plugin may not answer just any mountpoint', async () => {
  for (const mountpoint of mountpoints) {
    await using host = new DockerPluginHost();
    await using _plugin = await startDockerPlugin(host.socket('p'), ['VolumeDriver'], {
      'VolumeDriver.Mount': () => ({ Mountpoint: mountpoint }),
    });
    const driver = await host.driver('volume', 'p');
    await assert.rejects(driver.attach({ name: 'v1', ...attachment }, ctx), { code: 'internal' }, String(mountpoint));
  }
});

const hostile: Readonly<Record<string, { readonly method: DockerMethod; readonly code: string; readonly message: RegExp }>> = {
  garbage: { method: (_, response) => response.end('\u0000\u001b[2Jnot json'), code: 'internal', message: /no JSON object: \P{Cc}*$/u },
  'a list': { method: () => [], code: 'internal', message: /no JSON object/ },
  'more than it may': {
    method: (_, response) => {
      response.on('error', () => {});
      for (let index = 0; index < 5; index += 1) response.write('x'.repeat(1024 * 1024));
      response.end();
    },
    code: 'internal',
    message: /more than 4194304 bytes/,
  },
  'nothing, and closes': { method: (_, response) => void response.destroy(), code: 'unavailable', message: /socket hang up/ },
  'half an answer': {
    method: (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"Volume');
      setTimeout(() => response.destroy(), 10);
    },
    code: 'unavailable',
    message: /aborted/,
  },
  'a status with text': {
    method: (_, response) => response.writeHead(503).end('try later\n'),
    code: 'internal',
    message: /VolumeDriver\.Get: try later$/,
  },
  'a status alone': { method: (_, response) => response.writeHead(500).end(), code: 'internal', message: /HTTP status 500/ },
  'an error of the wrong type': { method: () => ({ Err: { deep: true } }), code: 'internal', message: /\{"deep":true\}/ },
  'an endless error': { method: () => ({ Err: 'x'.repeat(1e6) }), code: 'internal', message: /^.{0,2100}$/ },
  'a volume of the wrong type': { method: () => ({ Volume: { Name: 'v1', CreatedAt: 7 } }), code: 'internal', message: /CreatedAt/ },
};
for (const [what, { method, code, message }] of Object.entries(hostile)) {
  test(`a Docker plugin that answers ${what} harms nobody, and is asked only once`, async () => {
    await using host = new DockerPluginHost();
    await using plugin = await startDockerPlugin(host.socket('p'), ['VolumeDriver'], { 'VolumeDriver.Get': method });
    const driver = await host.driver('volume', 'p');
    await assert.rejects(driver.stat({ name: 'v1' }, ctx), { code, message });
    assert.equal(plugin.calls.filter((call) => call === 'VolumeDriver.Get').length, 1);
  });
}

const handshakes: Readonly<Record<string, DockerMethod>> = {
  'does not say what it implements': () => ({}),
  'implements no list': () => ({ Implements: 'VolumeDriver' }),
  'refuses to shake hands': () => ({ Err: 'no' }),
  closes: (_, response) => void response.destroy(),
};
for (const [what, activate] of Object.entries(handshakes)) {
  test(`a Docker plugin that ${what} is no driver, and names() goes on without it`, async () => {
    await using host = new DockerPluginHost();
    await using _bad = await startDockerPlugin(host.socket('bad'), [], { 'Plugin.Activate': activate });
    await using _good = await startDockerPlugin(host.socket('good'), ['VolumeDriver'], {});
    await assert.rejects(host.find('volume', 'bad'));
    assert.deepEqual(await host.names('volume'), ['good']);
  });
}

test('a Docker plugin that takes the connection and says nothing costs a list half a second, and its name two', async () => {
  await using host = new DockerPluginHost();
  const open = new Set<{ destroy: () => void }>();
  const server = createServer((socket) => open.add(socket));
  await new Promise<void>((resolve) => server.listen(host.socket('mute'), () => resolve()));
  assert.deepEqual(await host.names('volume'), []);
  await assert.rejects(host.find('volume', 'mute'), { code: 'unavailable', message: /did not answer Plugin\.Activate/ });
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

const refusals: readonly (readonly [words: string, code: string])[] = [
  ['no such volume: v1', 'not_found'],
  ['volume v1 not found', 'not_found'],
  ["volume doesn't exist", 'not_found'],
  ['volume is in use by 2 containers', 'conflict'],
  ['device or resource busy', 'conflict'],
  ['volume already exists', 'already_exists'],
  ['invalid option: size', 'invalid_argument'],
  ['no space left on device', 'exhausted'],
  ['permission denied', 'forbidden'],
  ['the back end fell over', 'internal'],
];
test('a Docker plugin refuses in words, which become codes', async () => {
  await using host = new DockerPluginHost();
  let words = '';
  await using _plugin = await startDockerPlugin(host.socket('p'), ['VolumeDriver'], { 'VolumeDriver.Mount': () => ({ Err: words }) });
  const driver = await host.driver('volume', 'p');
  for (const [said, code] of refusals) {
    words = said;
    await assert.rejects(driver.attach({ name: 'v1', ...attachment }, ctx), { code, message: `plugin p: VolumeDriver.Mount: ${said}` });
  }
});

test('settings that make no sense are refused by name', async () => {
  const table: readonly (readonly [config: Record<string, unknown>, message: RegExp])[] = [
    [{ socketFolders: '/x' }, /socketFolders must be a list/],
    [{ specFolders: ['x'] }, /specFolders\[0\] must be an absolute path/],
    [{ sockets: { a: 'x' } }, /sockets\.a must be an absolute path/],
    [{ sockets: { a: { socket: '/x', scopes: [{ inside: '/m' }] } } }, /sockets\.a\.scopes\[0\]\.host must be an absolute path/],
    [{ loggingFolder: 7 }, /loggingFolder must be an absolute path/],
  ];
  for (const [config, message] of table) {
    await using host = new DockerPluginHost(config);
    await assert.rejects(host.activation(), { code: 'invalid_argument', message });
  }
});

test('a symlink in a managed plugin leads nowhere outside: its folder is resolved inside', async () => {
  const root = mkdtempSync(join(tmpdir(), 'scoped-'));
  mkdirSync(join(root, 'plugin'));
  symlinkSync('/etc', join(root, 'plugin', 'vol'));
  await using _plugin = await startDockerPlugin(join(root, 'x.sock'), ['VolumeDriver'], {
    'VolumeDriver.Mount': () => ({ Mountpoint: '/vol' }),
  });
  {
    await using host = new DockerPluginHost({
      sockets: { x: { socket: join(root, 'x.sock'), scopes: [{ inside: '/', host: join(root, 'plugin') }] } },
    });
    const driver = await host.driver('volume', 'x');
    await assert.rejects(driver.attach({ name: 'v1', ...attachment }, ctx), { code: 'internal', message: /no folder/ });
  }
  rmSync(root, { recursive: true });
});

async function fakeHost() {
  const state = { get: async () => undefined, put: async () => {}, list: async () => [] };
  return { state, runDir: '/run' };
}
