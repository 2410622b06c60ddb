import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { noLeaks } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const kinds = ['graph', 'volume', 'log', 'network', 'ipam', 'exec'] as const;

for (const placement of ['in-process', 'worker', 'process'] as const) {
  test(`a container runs with graph, volume, log, network, IPAM and exec drivers in placement ${placement}`, async () => {
    // The first makes what stays for all later ones: the parents of control groups.
    await runAll(placement);
    await using _nothingLeft = noLeaks();
    await runAll(placement);
  });
}

async function runAll(placement: 'in-process' | 'worker' | 'process'): Promise<void> {
  await using under = await EngineUnderTest.open({ pluginPlacement: Object.fromEntries(kinds.map((kind) => [kind, placement])) });
  const { engine } = under;
  await engine.networks.create({ name: 'net', driver: 'bridge' });
  await engine.volumes.create({ name: 'data', driver: 'local' });
  const { exitCode, stdout } = await under.run('echo kept > /data/file; cat /data/file; ip addr show eth0 | grep -c "inet "; exit 3', {
    hostConfig: { NetworkMode: 'net', Binds: ['data:/data'] },
  });
  assert.deepEqual([exitCode, stdout], [3, 'kept\n1\n']);
  const drivers = engine.plugins
    .list()
    .filter(({ state, provides }) => state === 'ready' && provides.every(({ contract }) => contract !== 'frontend'));
  assert.deepEqual([...new Set(drivers.map((plugin) => plugin.placement))], [placement]);
  assert.deepEqual(
    kinds.filter((kind) => !drivers.some(({ provides }) => provides.some(({ contract }) => contract === kind))),
    [],
  );
  await engine.volumes.remove('data', { force: false });
  await engine.networks.remove('net');
}
