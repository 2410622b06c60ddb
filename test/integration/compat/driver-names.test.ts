import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DockerApi } from '../../support/clients/docker-api.ts';
import { DockerIpamPlugin } from '../../support/plugins/docker-ipam-plugin.ts';
import { DockerNetworkPlugin } from '../../support/plugins/docker-network-plugin.ts';
import { startDockerPlugin } from '../../support/plugins/docker-plugin.ts';
import { DockerVolumePlugin } from '../../support/plugins/docker-volume-plugin.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

test('a driver has the same name with and without ":latest", wherever it is written', async () => {
  const root = mkdtempSync(join(tmpdir(), 'driver-names-'));
  using after = new DisposableStack();
  after.defer(() => rmSync(root, { recursive: true }));
  const socket = (name: string) => join(root, 'sockets', `${name}.sock`);
  using disk = new DockerVolumePlugin(join(root, 'plugin'));
  using wires = new DockerNetworkPlugin();
  const allow = { 'AuthZPlugin.AuthZReq': () => ({ Allow: true }), 'AuthZPlugin.AuthZRes': () => ({ Allow: true }) };
  await using _disk = await startDockerPlugin(socket('disk'), ['VolumeDriver'], disk.methods);
  await using _wires = await startDockerPlugin(socket('wires'), ['NetworkDriver'], wires.methods);
  await using _numbers = await startDockerPlugin(socket('numbers'), ['IpamDriver'], new DockerIpamPlugin().methods);
  await using guard = await startDockerPlugin(socket('guard'), ['authz'], allow);
  const pluginSettings = { 'gantry.compat.docker-plugin-v1': { socketFolders: [join(root, 'sockets')], specFolders: [] } };
  {
    const wishes = { authorizationPlugins: ['guard:latest'], logDriver: 'json-file:latest' };
    await using under = await EngineUnderTest.open({ pluginSettings, ...wishes });
    const { engine } = under;
    await using _serving = await engine.serve({ hosts: [`unix://${join(root, 'api.sock')}`] });
    const api = new DockerApi(join(root, 'api.sock'));
    const made = await api.json<{ Driver: string }>('POST /v1.51/volumes/create', { body: { Name: 'one', Driver: 'disk:latest' } });
    assert.equal(made.Driver, 'disk');
    assert.ok(guard.calls.includes('AuthZPlugin.AuthZReq'));
    assert.equal((await engine.volumes.create({ name: 'one', driver: 'disk' })).driver, 'disk');
    assert.deepEqual(
      (await engine.volumes.list({ filters: { driver: ['disk:latest'] } })).volumes.map(({ name }) => name),
      ['one'],
    );
    const ipam = { Driver: 'numbers:latest', Config: [{ Subnet: '10.73.0.0/24' }] };
    await engine.networks.create({ name: 'net', driver: 'wires:latest', ipam });
    const { driver, ipam: shown } = engine.networks.inspect('net');
    assert.deepEqual([driver, shown.Driver], ['wires', 'numbers']);
    assert.deepEqual(
      engine.networks.list({ filters: { driver: ['wires:latest'] } }).map(({ name }) => name),
      ['net'],
    );
    const id = await under.create('true', {
      hostConfig: {
        NetworkMode: 'net',
        VolumeDriver: 'disk:latest',
        Binds: ['two:/two'],
        Mounts: [{ Type: 'volume', Source: 'three', Target: '/three', VolumeOptions: { DriverConfig: { Name: 'disk:latest' } } }],
        LogConfig: { Type: 'none:latest', Config: {} },
        Runtime: 'runc:latest',
      },
    });
    const { hostConfig } = engine.containers.inspect(id);
    assert.deepEqual([hostConfig.LogConfig?.Type, hostConfig.VolumeDriver, hostConfig.Runtime], ['none', 'disk', 'runc']);
    for (const name of ['two', 'three']) assert.equal((await engine.volumes.inspect(name)).driver, 'disk');
    const plain = await under.create('true');
    assert.equal(engine.containers.inspect(plain).hostConfig.LogConfig?.Type, 'json-file');
    const call = { kind: 'volume', driver: 'disk:latest', method: 'list', request: {}, dryRun: true } as const;
    assert.equal(((await engine.plugins.call(call)) as readonly unknown[]).length, 3);
    for (const each of [id, plain]) await engine.containers.remove(each, { force: true });
    for (const name of ['one', 'two', 'three']) await engine.volumes.remove(name, { force: false });
    await engine.networks.remove('net');
  }
});
