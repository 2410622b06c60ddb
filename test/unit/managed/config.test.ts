import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkManifest, type Manifest } from '@gantry/sdk';
import { readDockerConfig } from '../../../core/plugin-manifest/index.ts';
import { managedConfig } from '../../../sdk/managed/config.ts';

const plain: Manifest = {
  manifestVersion: 1,
  name: 'acme.nfs',
  version: '1.4.0',
  provides: [{ contract: 'volume', versions: ['v1'], drivers: ['nfs'] }],
  entry: { node: 'main.js' },
};
const configOf = (given: Partial<Manifest>) =>
  managedConfig(checkManifest({ ...plain, ...given }), { program: '/gantry/sdk/legacy/process.js', node: ['/usr/bin/node'] });

test('managedConfig() says of a plain volume plugin what dockerd needs, and asks for nothing else', () => {
  assert.deepEqual(configOf({}), {
    config: {
      description: 'acme.nfs 1.4.0',
      documentation: '',
      interface: { types: ['docker.volumedriver/1.0'], socket: 'plugin.sock' },
      entrypoint: ['/usr/bin/node', '/gantry/sdk/legacy/process.js', '/plugin', '/run/docker/plugins/plugin.sock', '/mnt/gantry'],
      workdir: '/',
      network: { type: 'none' },
      linux: { capabilities: ['CAP_SYS_ADMIN'], allowAllDevices: false, devices: [] },
      mounts: [],
      propagatedMount: '/mnt/gantry',
      ipchost: false,
      pidhost: false,
      env: [],
      args: { name: '', description: '', settable: [], value: [] },
    },
    notes: [],
  });
});

test('managedConfig() makes settings settable, and privileges what users are asked for', () => {
  const { config, notes } = configOf({
    provides: ['volume', 'network', 'ipam', 'log', 'authz'].map((contract) => ({
      contract,
      versions: ['v1'],
      drivers: ['x'],
    })) as Manifest['provides'],
    settings: {
      type: 'object',
      required: ['server', 'token'],
      properties: {
        server: { type: 'string', description: 'where it is' },
        retries: { type: 'integer', default: 3 },
        token: { type: 'string', 'x-secret': true },
        pools: { type: 'array', default: ['10.0.0.0/8'] },
      },
    },
    privileges: {
      mountTypes: ['nfs4'],
      hostPaths: ['/srv/data', '/etc/ceph'],
      devices: ['/dev/fuse'],
      capabilities: ['CAP_SYS_PTRACE', 'CAP_NET_ADMIN'],
      hostIpc: true,
      hostPid: true,
      host: ['lookup:container.labels'],
    },
  });
  const { interface: api, network, linux, mounts, env, ipchost, pidhost } = config;
  assert.deepEqual(
    { api, network, linux, mounts, env, ipchost, pidhost },
    {
      api: {
        types: ['docker.volumedriver/1.0', 'docker.networkdriver/1.0', 'docker.ipamdriver/1.0', 'docker.logdriver/1.0', 'docker.authz/1.0'],
        socket: 'plugin.sock',
      },
      network: { type: 'host' },
      linux: {
        capabilities: ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'],
        allowAllDevices: false,
        devices: [{ name: 'dev-fuse', description: 'the device /dev/fuse', path: '/dev/fuse', settable: [] }],
      },
      mounts: ['/srv/data', '/etc/ceph'].map((path) => ({
        name: path.slice(1).replace('/', '-'),
        description: `the machine's ${path}`,
        source: path,
        destination: path,
        type: 'bind',
        options: ['rbind', 'rslave'],
        settable: [],
      })),
      env: [
        { name: 'server', description: 'where it is; required', value: '', settable: ['value'] },
        { name: 'retries', description: '', value: '3', settable: ['value'] },
        { name: 'token', description: 'required; secret', value: '', settable: ['value'] },
        { name: 'pools', description: '', value: '["10.0.0.0/8"]', settable: ['value'] },
      ],
      ipchost: true,
      pidhost: true,
    },
  );
  assert.equal(notes.length, 2);
});

test('managedConfig() is read by the engine as it reads any other plugin of Docker', () => {
  const { config } = configOf({
    privileges: { hostPaths: ['/srv'], devices: ['/dev'] },
    settings: { type: 'object', properties: { a: { type: 'string' } } },
  });
  const read = readDockerConfig(JSON.parse(JSON.stringify(config)));
  assert.deepEqual(
    [read.Interface.Socket, read.PropagatedMount, read.Linux.AllowAllDevices, read.Env[0]?.Settable],
    ['plugin.sock', '/mnt/gantry', true, ['value']],
  );
});

test("managedConfig() shares the machine's network for file systems that the kernel reaches by it", () => {
  assert.deepEqual(
    ['nfs4', 'cifs', 'ext4'].map((type) => configOf({ privileges: { mountTypes: [type] } }).config.network.type),
    ['host', 'host', 'none'],
  );
});

test('managedConfig() asks for /dev/fuse, and for what starts helpers without rights, where volumes are FUSE', () => {
  const fuse = { privileges: { mountTypes: ['fuse'] } };
  const { linux, network } = configOf(fuse).config;
  assert.deepEqual(
    [linux.capabilities, linux.devices.map(({ path }) => path), network.type],
    [['CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID', 'CAP_SYS_ADMIN'], ['/dev/fuse'], 'none'],
  );
  const named = configOf({ privileges: { mountTypes: ['fuse'], devices: ['/dev/fuse', '/dev/loop0'] } }).config.linux.devices;
  assert.deepEqual(
    named.map(({ path }) => path),
    ['/dev/fuse', '/dev/loop0'],
  );
  assert.equal(configOf({ privileges: { mountTypes: ['fuse'], devices: ['/dev'] } }).config.linux.allowAllDevices, true);
  const { capabilities } = configOf({ ...fuse, provides: [{ contract: 'log', versions: ['v1'], drivers: ['x'] }] }).config.linux;
  assert.deepEqual(capabilities, []);
});

test('managedConfig() serves a plugin that is a program as any other', () => {
  assert.deepEqual(configOf({ entry: { exec: ['./driver'] } }).config.entrypoint, configOf({}).config.entrypoint);
});

const refused: readonly (readonly [what: string, given: Partial<Manifest>, message: RegExp])[] = [
  [
    'a kind that Docker lacks',
    { provides: [{ contract: 'graph', versions: ['v1'], drivers: ['x'] }] },
    /has a graph driver, and Docker's plugin protocol has no graph/,
  ],
  ['an exec driver', { provides: [{ contract: 'exec', versions: ['v1'], drivers: ['x'] }] }, /no exec drivers/],
  ['two drivers of a kind', { provides: [{ contract: 'volume', versions: ['v1'], drivers: ['a', 'b'] }] }, /drivers a and b/],
  ['open names', { provides: [{ contract: 'volume', versions: ['v1'], drivers: ['*'] }] }, /leaves the names/],
  ['what it requires', { requires: [{ plugin: 'acme.vault' }] }, /requires the plugin acme\.vault/],
  ['no sandbox', { privileges: { unconfined: true } }, /no sandbox/],
  ['namespaces of containers', { privileges: { netns: true } }, /network namespaces/],
  ['all capabilities', { privileges: { capabilities: ['ALL'] } }, /ALL capabilities/],
  ['the whole machine', { privileges: { hostPaths: ['/'] } }, /whole file system/],
  ['a setting that Node would read', { settings: { type: 'object', properties: { NODE_OPTIONS: { type: 'string' } } } }, /NODE_OPTIONS/],
  ['a setting that the loader would read', { settings: { type: 'object', properties: { LD_PRELOAD: { type: 'string' } } } }, /LD_PRELOAD/],
];
for (const [what, given, message] of refused) {
  test(`managedConfig() refuses ${what}, and says why`, () => {
    assert.throws(() => configOf(given), { code: 'not_implemented', message });
  });
}

test('managedConfig() takes a requirement that is optional', () => {
  assert.doesNotThrow(() => configOf({ requires: [{ plugin: 'acme.vault', optional: true }] }));
});
