import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DockerNetworkPlugin } from '../../support/plugins/docker-network-plugin.ts';
import { type DockerMethod, startDockerPlugin } from '../../support/plugins/docker-plugin.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

type Told = Readonly<Record<string, unknown>>;

test('a Docker network plugin hears which ports its container exposes and publishes, where the way out is', async () => {
  const sockets = mkdtempSync(join(tmpdir(), 'network-ports-'));
  using plugin = new DockerNetworkPlugin();
  const told: Record<string, Told> = {};
  const hearing = (name: string, method: DockerMethod): DockerMethod => {
    return (body, response, request) => {
      told[`${name} ${String(body['NetworkID'])}`] = body['Options'] as Told;
      return method(body, response, request);
    };
  };
  const program: DockerMethod = () => ({});
  const methods = {
    ...plugin.methods,
    'NetworkDriver.ProgramExternalConnectivity': program,
    'NetworkDriver.RevokeExternalConnectivity': program,
  };
  const heard = Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [name, hearing(name.replace('NetworkDriver.', ''), method)]),
  );
  await using _plugin = await startDockerPlugin(join(sockets, 'wires.sock'), ['NetworkDriver'], heard);
  const pluginSettings = { 'gantry.compat.docker-plugin-v1': { socketFolders: [sockets], specFolders: [] } };
  {
    await using under = await EngineUnderTest.open({ pluginSettings });
    const { networks, containers } = under.engine;
    const subnet = (net: string) => ({ Driver: 'default', Config: [{ Subnet: `${net}.0/24`, Gateway: `${net}.1` }] });
    const out = await networks.create({ name: 'out', driver: 'wires', ipam: subnet('10.71.0') });
    const side = await networks.create({ name: 'side', driver: 'wires', ipam: subnet('10.72.0') });
    const id = await under.create('sleep 1000', {
      name: 'web',
      config: { ExposedPorts: { '9000/tcp': {} } },
      hostConfig: { NetworkMode: 'out', PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '18080' }], '53/udp': [{}] } },
    });
    await networks.connect('side', 'web', {});
    await containers.start(id);
    const published = [
      { Proto: 17, IP: '', Port: 53, HostIP: '', HostPort: 0, HostPortEnd: 0 },
      { Proto: 6, IP: '', Port: 80, HostIP: '127.0.0.1', HostPort: 18_080, HostPortEnd: 18_080 },
    ];
    const exposed = [
      { Proto: 17, Port: 53 },
      { Proto: 6, Port: 80 },
      { Proto: 6, Port: 9000 },
    ];
    for (const method of ['CreateEndpoint', 'Join', 'ProgramExternalConnectivity']) {
      const options = told[`${method} ${out.id}`];
      assert.deepEqual(sorted(options?.['com.docker.network.portmap']), published, method);
      assert.deepEqual(sorted(options?.['com.docker.network.endpoint.exposedports']), exposed, method);
    }
    const beside = told[`CreateEndpoint ${side.id}`];
    assert.deepEqual(beside?.['com.docker.network.portmap'], []);
    assert.deepEqual(sorted(beside['com.docker.network.endpoint.exposedports']), [{ Proto: 6, Port: 9000 }]);
    await containers.remove(id, { force: true });
    for (const name of ['out', 'side']) await networks.remove(name);
  }
  rmSync(sockets, { recursive: true });
});

const sorted = (ports: unknown): readonly unknown[] =>
  (ports as readonly { readonly Port: number }[]).toSorted((one, other) => one.Port - other.Port);
