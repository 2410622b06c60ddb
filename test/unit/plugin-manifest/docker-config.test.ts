import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import { appliedSettings, dockerSettings, fromDockerConfig, privilegesOf } from '../../../core/plugin-manifest/index.ts';
import { sshfsConfig } from '../../support/plugins/plugin-sources.ts';

test("fromDockerConfig() makes a manifest of ours out of Docker's, with the reference as the driver's name", () => {
  assert.deepEqual(fromDockerConfig(sshfsConfig, 'vieux/sshfs:latest'), {
    manifestVersion: 1,
    name: 'vieux.sshfs',
    version: '0.0.0',
    description: 'sshFS plugin for Docker',
    documentation: 'https://docs.docker.com/engine/extend/plugins/',
    provides: [{ contract: 'volume', versions: ['v1'], drivers: ['vieux/sshfs'] }],
    entry: { exec: ['/docker-volume-sshfs'] },
    placement: ['process'],
    settings: {
      type: 'object',
      additionalProperties: false,
      properties: {
        DEBUG: { type: 'string', 'x-restart': true, default: '0' },
        'sshkey.source': { type: 'string', pattern: '^(/|$)', 'x-restart': true, default: '' },
        args: { type: 'array', items: { type: 'string' }, 'x-restart': true, default: ['-v'] },
      },
    },
    privileges: {
      user: 'root',
      hostPaths: ['/var/lib/docker/plugins/'],
      devices: ['/dev/fuse'],
      capabilities: ['CAP_SYS_ADMIN'],
      network: 'host',
      driverMounted: true,
    },
    state: { upgrade: 'exclusive' },
  });
});

test('fromDockerConfig() knows all kinds that have a contract, keeps tags but latest, and shows all that is asked for', () => {
  const config = {
    ...sshfsConfig,
    interface: undefined,
    Interface: {
      Types: ['docker.ipamdriver/1.0', 'docker.networkdriver/1.0', 'docker.logdriver/1.0', 'docker.metricscollector/1.0'],
      Socket: 'a.sock',
    },
    Linux: { Capabilities: ['ALL'], AllowAllDevices: true },
    IpcHost: true,
    PidHost: true,
  };
  delete (config as Record<string, unknown>)['interface'];
  const manifest = fromDockerConfig(config, 'localhost:5000/acme/all:v1.2.3');
  assert.deepEqual(
    [manifest.name, manifest.version, manifest.provides.map(({ contract, drivers }) => [contract, ...drivers])],
    ['localhost.5000.acme.all', '1.2.3', ['log', 'network', 'ipam'].map((contract) => [contract, 'localhost:5000/acme/all:v1.2.3'])],
  );
  assert.deepEqual(
    privilegesOf(manifest).map(({ name }) => name),
    ['network', 'host ipc namespace', 'host pid namespace', 'mount', 'allow-all-devices', 'capabilities', 'user', 'driver-mounted'],
  );
});

const bad: readonly (readonly [object | null, RegExp])[] = [
  [{ Entrypoint: [] }, /config\.entrypoint must be a list that begins with a program/],
  [{ Entrypoint: 'sh' }, /config\.entrypoint must be a list/],
  [{ Entrypoint: ['a\0'] }, /config\.entrypoint\[0\] must be a string/],
  [{ Entrypoint: ['a'.repeat(5000)] }, /config\.entrypoint\[0\]/],
  [{ Entrypoint: Array(500).fill('a') }, /at most 200/],
  [{ entrypoint: ['/evil'] }, /config\.entrypoint must be there once/],
  [{ Interface: { Types: ['docker.volumedriver/1.0'], Socket: '../x.sock' } }, /interface\.socket must be a file name/],
  [{ Interface: { Types: ['docker.volumedriver/1.0'], Socket: '' } }, /interface\.socket/],
  [{ Interface: { Types: ['volume'], Socket: 'a' } }, /interface\.types\[0\] must be a type/],
  [{ Interface: { Types: ['docker.volumedriver/1.0'], Socket: 'a', ProtocolScheme: 'http' } }, /protocolscheme/],
  [{ Interface: [] }, /config\.interface must be an object/],
  [{ Network: { Type: 'container:x' } }, /network\.type must be host, bridge or none/],
  [{ Linux: { Capabilities: ['sys_admin'] } }, /capabilities\[0\] must be a capability/],
  [{ Linux: { AllowAllDevices: 'yes' } }, /allowalldevices must be true or false/],
  [{ Linux: { Devices: [{ Path: '/etc/passwd' }] } }, /devices\[0\]\.path must be a path below \/dev/],
  [{ Linux: { Devices: [{ Path: '/dev/../etc' }] } }, /devices\[0\]\.path/],
  [{ Linux: { Devices: [{ Path: '/dev/a', Settable: ['value'] }] } }, /settable\[0\] must be path/],
  [{ PropagatedMount: 'mnt' }, /propagatedmount must be an absolute path/],
  [{ PropagatedMount: '/mnt/../../etc' }, /propagatedmount/],
  [{ WorkDir: 7 }, /workdir must be a string/],
  [{ Mounts: [{ Destination: '../x' }] }, /mounts\[0\]\.destination must be an absolute path/],
  [{ Mounts: [{ Destination: '/a', Source: '/a/../..' }] }, /mounts\[0\]\.source must be a path without/],
  [{ Mounts: [{ Destination: '/a', Type: 'a b' }] }, /mounts\[0\]\.type/],
  [{ Mounts: [{ Destination: '/a', Options: ['ro,suid'] }] }, /options\[0\] must be one option/],
  [{ Mounts: {} }, /config\.mounts must be a list/],
  [{ Env: [{ Name: 'A=B' }] }, /env\[0\]\.name/],
  [{ Env: [{ Name: 'A', Value: 1 }] }, /env\[0\]\.value must be a string/],
  [{ Args: { Value: 'a' } }, /args\.value must be a list/],
  [{ User: { UID: -1 } }, /user\.uid/],
  [{ IpcHost: 1 }, /ipchost/],
  [{ rootfs: { diff_ids: ['sha256:zz'] } }, /diff_ids\[0\] must be a sha256 digest/],
  [{ Description: {} }, /description must be a string/],
];
for (const [change, message] of bad) {
  test(`fromDockerConfig() refuses ${JSON.stringify(change).slice(0, 90)}`, () => {
    const config = { ...sshfsConfig, ...change };
    assert.throws(
      () => fromDockerConfig(config, 'a'),
      (error) => codeOf(error) === 'invalid_argument' && message.test((error as Error).message),
    );
  });
}
for (const value of [null, [], 7, 'x', {}]) {
  test(`fromDockerConfig() refuses ${JSON.stringify(value)}`, () => {
    assert.throws(() => fromDockerConfig(value, 'a'), { code: 'invalid_argument' });
  });
}
test('fromDockerConfig() says so when a plugin has no kind of driver that is known', () => {
  const config = { ...sshfsConfig, Interface: { Types: ['docker.csinode/1.0'], Socket: 'a.sock' } };
  assert.throws(() => fromDockerConfig(config, 'a'), { code: 'not_implemented' });
});

const settable = {
  ...sshfsConfig,
  Linux: {
    Devices: [
      { Name: 'fuse', Path: '/dev/fuse', Settable: ['path'] },
      { Name: 'none', Settable: ['path'] },
    ],
  },
  Mounts: [
    ...sshfsConfig.Mounts,
    { Name: 'two', Source: '/a', Destination: '/a', Settable: ['source', 'type'] },
    { Name: 'empty', Destination: '/b', Settable: ['source'] },
  ],
  Env: [...sshfsConfig.Env, { Name: 'FIXED', Value: 'x' }, { Name: 'UNSET', Settable: ['value'] }],
};
for (const [given, wanted] of [
  [[], {}],
  [['DEBUG=1'], { DEBUG: '1' }],
  [['DEBUG.value=a=b'], { DEBUG: 'a=b' }],
  [['DEBUG'], { DEBUG: '' }],
  [['UNSET=1', 'DEBUG=2'], { UNSET: '1', DEBUG: '2' }],
  [['sshkey.source=/root/.ssh'], { 'sshkey.source': '/root/.ssh' }],
  [['sshkey=/k'], { 'sshkey.source': '/k' }],
  [['fuse.path=/dev/x'], { 'fuse.path': '/dev/x' }],
  [['two.source=/b'], { 'two.source': '/b' }],
  [['args=-a -b'], { args: ['-a', '-b'] }],
] as const) {
  test(`dockerSettings() reads ${given.join(' ') || 'nothing'}`, () => assert.deepEqual(dockerSettings(settable, given), wanted));
}
for (const [given, message] of [
  ['=1', 'invalid format, must be <name>[.<field>][=<value>]'],
  ['NOTHING=1', 'setting "NOTHING" not found in the plugin configuration'],
  ['FIXED=1', '"FIXED" is not settable'],
  ['DEBUG.name=1', '"DEBUG.name" is not settable'],
  ['two=/b', 'multiple fields are settable, one must be specified'],
  ['two.type=x', '"two.type" is not settable'],
  ['empty=/x', 'Plugin config has no mount source'],
  ['none=/dev/x', 'Plugin config has no device path'],
  ['__proto__=1', 'setting "__proto__" not found in the plugin configuration'],
] as const) {
  test(`dockerSettings() refuses ${given} in Docker's words, and the rest with it`, () => {
    assert.throws(() => dockerSettings(settable, ['DEBUG=1', given]), { code: 'invalid_argument', message });
  });
}

test("appliedSettings() puts settings over the config's own values", () => {
  const { Env, Args, Mounts, Devices } = appliedSettings(settable, { DEBUG: '1', 'sshkey.source': '/k', args: ['a'] });
  assert.deepEqual(
    [Env, Args, Mounts.map(({ Source }) => Source), Devices.map(({ Path }) => Path)],
    [['DEBUG=1', 'FIXED=x'], ['a'], ['/var/lib/docker/plugins/', '/k', '/a', undefined], ['/dev/fuse', undefined]],
  );
});
