import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { codeOf } from '@gantry/sdk';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { type FaultPlugin, Rig, soon, until, writer } from './rig.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

let rig: Rig;
before(async () => {
  rig = await Rig.open({ pluginPolicy: { backOffMs: [50, 200] } });
  await using plugin = await rig.install('first', { kinds: ['volume', 'network'] });
  const { id } = await rig.engine.networks.create({ name: 'faulty', driver: plugin.driver });
  await rig.under.run('true', { hostConfig: { NetworkMode: 'faulty' } });
  await rig.engine.networks.remove(id);
});
after(() => rig[Symbol.asyncDispose]());

async function hears(plugin: FaultPlugin, call: string): Promise<void> {
  await until(
    () => plugin.calls().includes(call),
    5_000,
    () => `it did not hear of ${call}: ${plugin.calls().join()}`,
  );
}

for (const when of ['before', 'after'] as const) {
  test(`a volume whose creator leaves ${when} it is made is none afterwards, and its plugin had the signal`, async () => {
    await using _nothingLeft = await rig.noLeaks();
    await using plugin = await rig.install(`leaves-${when}`);
    await using container = await writer(rig.under, 'kept', plugin.driver);
    plugin.misbehave({ create: { does: 'until-cancelled', ...(when === 'after' && { when }) } });
    const left = new AbortController();
    const began = plugin.calls().length;
    const making = rig.engine.volumes.create({ name: 'unwanted', driver: plugin.driver }, { signal: left.signal });
    await until(
      () => plugin.calls().slice(began).includes('create'),
      5_000,
      () => 'it was not asked',
    );
    left.abort();
    await assert.rejects(soon(making), (error) => codeOf(error) === 'cancelled');
    await hears(plugin, 'cancelled create');
    await until(
      () => plugin.calls().slice(began).includes('remove'),
      5_000,
      () => `the inverse was not issued: ${plugin.calls().join()}`,
    );
    await until(
      () => !existsSync(join(plugin.dataDir, 'volumes/unwanted')),
      5_000,
      () => 'it is still there',
    );
    assert.ok(!(await rig.engine.volumes.list({})).volumes.some(({ name }) => name === 'unwanted'));
    assert.equal(plugin.info.state, 'ready');
    plugin.misbehave({});
    await plugin.create('unwanted');
    await Promise.all([rig.othersAreWell(), container.isUntouched()]);
  });
}

test('a start whose caller leaves while a volume is attached is taken back, detach included, and the next one succeeds', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('attaches');
  await plugin.create('vol');
  const { containers } = rig.engine;
  await using container = await rig.under.created('sleep 100', { hostConfig: { Binds: ['vol:/v'] } });
  plugin.misbehave({ attach: { does: 'until-cancelled' } });
  const left = new AbortController();
  const began = plugin.calls().length;
  const starting = containers.start(container.id, { signal: left.signal });
  await until(
    () => plugin.calls().slice(began).includes('attach'),
    5_000,
    () => 'it was not asked',
  );
  left.abort();
  await assert.rejects(soon(starting), (error) => codeOf(error) === 'cancelled');
  await hears(plugin, 'cancelled attach');
  assert.ok(plugin.calls().slice(began).includes('detach'), 'the inverse was issued');
  const { running, pid } = containers.inspect(container.id).state;
  assert.deepEqual([running, pid], [false, 0]);
  plugin.misbehave({});
  await containers.start(container.id);
  assert.equal(containers.inspect(container.id).state.running, true);
});

test('a start whose caller leaves while a network is joined leaves no endpoint, no address and no link', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('joins', { kinds: ['volume', 'network'] });
  const { networks, containers } = rig.engine;
  const { id } = await networks.create({ name: 'faulty', driver: plugin.driver });
  {
    await using container = await rig.under.created('sleep 100', { hostConfig: { NetworkMode: 'faulty' } });
    plugin.misbehave({ 'network.attach': { does: 'until-cancelled' } });
    const left = new AbortController();
    const starting = containers.start(container.id, { signal: left.signal });
    await until(
      () => plugin.calls().includes('network.attach'),
      5_000,
      () => 'it was not asked',
    );
    left.abort();
    await assert.rejects(soon(starting), (error) => codeOf(error) === 'cancelled');
    await hears(plugin, 'cancelled network.attach');
    assert.deepEqual(Object.keys(networks.inspect('faulty').containers), []);
    plugin.misbehave({});
    await containers.start(container.id);
  }
  await networks.remove(id);
});

test('a client of the API that closes its connection in the middle of a create is such a caller', async () => {
  await using _nothingLeft = await rig.noLeaks();
  await using plugin = await rig.install('remote');
  const socketPath = join(rig.under.folder, 'api.sock');
  await using _serving = await rig.engine.serve({ hosts: [`unix://${socketPath}`] });
  plugin.misbehave({ create: { does: 'until-cancelled', when: 'after' } });
  const body = JSON.stringify({ Name: 'unwanted', Driver: plugin.driver });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const sent = request({ socketPath, path: '/volumes/create', method: 'POST', headers }).on('error', () => {});
  sent.end(body);
  await until(
    () => plugin.calls().includes('create'),
    5_000,
    () => 'it was not asked',
  );
  sent.destroy();
  await hears(plugin, 'cancelled create');
  await until(
    () => !existsSync(join(plugin.dataDir, 'volumes/unwanted')),
    5_000,
    () => 'it is still there',
  );
});
