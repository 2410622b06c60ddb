import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Api } from '../../support/clients/api.ts';
import type { Operation } from '../operation.ts';
import { createContainer, expect, removeContainer } from '../requests.ts';

const Subnet = '10.83.0.0/24';
const create = (api: Api) =>
  expect(api, 'POST', '/networks/create', { statuses: [201, 409], json: { Name: 'crossed', IPAM: { Config: [{ Subnet }] } } });
const isThere = async (api: Api) => (await api.call('GET', '/networks/crossed')).status === 200;
const clean = async (api: Api): Promise<void> => {
  await removeContainer(api, 'joins');
  await expect(api, 'DELETE', '/networks/crossed', { statuses: [204, 404] });
};

/** Whether its addresses are given out: a container starts on it. */
async function isUsable(api: Api): Promise<void> {
  await createContainer(api, 'joins', { command: ['sleep', '1000'], hostConfig: { NetworkMode: 'crossed' } });
  await expect(api, 'POST', '/containers/joins/start', { statuses: [204] });
  await removeContainer(api, 'joins');
}

/** Whether nobody has its addresses: another network can have them. */
async function isFree(api: Api): Promise<void> {
  await expect(api, 'POST', '/networks/create', { statuses: [201], json: { Name: 'other', IPAM: { Config: [{ Subnet }] } } });
  await expect(api, 'DELETE', '/networks/other', { statuses: [204] });
}

export const createNetwork: Operation = {
  failpoints: ['network.create.pools', 'network.create.plugin.call', 'network.create.meta.txn'],
  prepare: async () => {},
  ask: async (api) => {
    await create(api);
  },
  check: async (api, { acknowledged }) => {
    const there = await isThere(api);
    assert.ok(there || !acknowledged);
    await (there ? isUsable(api) : isFree(api));
  },
  clean,
};

const joining = { Container: 'joins' };

/** A running container, on the network of its start. */
async function running(api: Api): Promise<void> {
  await create(api);
  await createContainer(api, 'joins', { command: ['sleep', '1000'], hostConfig: { NetworkMode: 'bridge' } });
  await expect(api, 'POST', '/containers/joins/start', { statuses: [204, 304] });
}

/** What inspect says, what is in the container's namespace and whose addresses are taken: the same, and on its first network it is in any case. */
async function isOn(api: Api): Promise<boolean> {
  const { NetworkSettings, State } = await api.json<{
    readonly State: { readonly Pid: number; readonly Status: string };
    readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
  }>('GET', '/containers/joins/json');
  assert.equal(State.Status, 'running');
  const { crossed, bridge } = NetworkSettings.Networks;
  const { Containers } = await api.json<{ readonly Containers: object }>('GET', '/networks/crossed');
  const links = readFileSync(`/proc/${State.Pid}/net/dev`, 'utf8').match(/eth\d/g) ?? [];
  assert.ok(bridge !== undefined);
  assert.deepEqual(
    [links.length, Object.keys(Containers).length, crossed?.IPAddress.startsWith('10.83.0.')],
    crossed === undefined ? [1, 0, undefined] : [2, 1, true],
  );
  return crossed !== undefined;
}

export const connectContainer: Operation = {
  // Not start.fw.rules, which the next start passes as well.
  failpoints: ['start.ipam', 'start.veth', 'start.bridge.attach', 'network.connect.meta.txn'],
  prepare: running,
  ask: async (api) => {
    await expect(api, 'POST', '/networks/crossed/connect', { statuses: [200, 403], json: joining });
  },
  check: async (api, { acknowledged }) => {
    const isConnected = await isOn(api);
    assert.ok(isConnected || !acknowledged);
  },
  clean,
};

export const disconnectContainer: Operation = {
  failpoints: ['network.disconnect.link', 'network.disconnect.meta.txn'],
  prepare: async (api) => {
    await running(api);
    await expect(api, 'POST', '/networks/crossed/connect', { statuses: [200, 403], json: joining });
  },
  ask: async (api) => {
    await expect(api, 'POST', '/networks/crossed/disconnect', { statuses: [200, 403], json: joining });
  },
  check: async (api, { acknowledged }) => {
    const isConnected = await isOn(api);
    assert.ok(!isConnected || !acknowledged);
  },
  clean,
};

export const removeNetwork: Operation = {
  failpoints: ['network.rm.plugin.call', 'network.rm.pools', 'network.rm.meta.txn'],
  prepare: async (api) => {
    await create(api);
    await isUsable(api);
  },
  ask: async (api) => {
    await expect(api, 'DELETE', '/networks/crossed', { statuses: [204, 404] });
  },
  // That it is to go was written down before the first failpoint: the next start takes it away.
  check: async (api, { acknowledged }) => {
    const there = await isThere(api);
    assert.ok(!there || !acknowledged);
    await (there ? isUsable(api) : isFree(api));
  },
  clean,
};
