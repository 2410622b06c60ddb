import assert from 'node:assert/strict';
import type { Api } from '../../support/clients/api.ts';
import type { Operation } from '../operation.ts';
import { createContainer, expect, removeContainer, runToEnd } from '../requests.ts';

const written = 'written before';
const remove = (api: Api, name: string) => expect(api, 'DELETE', `/volumes/${name}?force=1`, { statuses: [204, 404] });
const isThere = async (api: Api, name: string) => (await api.call('GET', `/volumes/${name}`)).status === 200;

/** Whether a container finds in it what was written. */
async function hasContent(api: Api, name: string): Promise<boolean> {
  await createContainer(api, 'looks', { command: ['grep', '-qx', written, '/v/file'], hostConfig: { Binds: [`${name}:/v:ro`] } });
  const code = await runToEnd(api, 'looks');
  await removeContainer(api, 'looks');
  return code === 0;
}

async function prepare(api: Api): Promise<void> {
  const command = ['sh', '-c', `echo ${written} >/v/file; sync`];
  await createContainer(api, 'writes', { command, hostConfig: { Binds: ['one:/v'] } });
  assert.equal(await runToEnd(api, 'writes'), 0);
  await removeContainer(api, 'writes');
}

export const pruneVolumes: Operation = {
  failpoints: ['volume.rm.plugin.call', 'volume.rm.meta.txn'],
  prepare,
  ask: async (api) => {
    await expect(api, 'POST', `/volumes/prune?filters=${encodeURIComponent('{"all":["true"]}')}`, { statuses: [200] });
  },
  // That it is to go was on the disk before the first failpoint: the next start takes it away.
  check: async (api) => assert.equal(await isThere(api, 'one'), false),
  clean: async (api) => {
    await remove(api, 'one');
  },
};

export const renameVolume: Operation = {
  failpoints: ['volume.rename.plugin.call', 'volume.rename.meta.txn'],
  prepare,
  ask: async (api) => {
    await expect(api, 'POST', '/gantry/v1/volumes/one/rename', { statuses: [200, 404], json: { Name: 'two' } });
  },
  check: async (api, { acknowledged }) => {
    const [former, latter] = [await isThere(api, 'one'), await isThere(api, 'two')];
    assert.deepEqual([former, latter], acknowledged || latter ? [false, true] : [true, false]);
    assert.ok(await hasContent(api, latter ? 'two' : 'one'), 'it lost what was in it');
  },
  clean: async (api) => {
    for (const name of ['one', 'two']) await remove(api, name);
  },
};

function copying(kind: 'clone' | 'snapshot'): Operation {
  return {
    failpoints: ['volume.create.plugin.call', 'volume.create.meta.txn'],
    prepare,
    ask: async (api) => {
      await expect(api, 'POST', `/gantry/v1/volumes/one/${kind}`, { statuses: [201, 409], json: { Name: 'two' } });
    },
    check: async (api, { acknowledged }) => {
      const isMade = await isThere(api, 'two');
      assert.ok(isMade || !acknowledged, 'it is gone');
      for (const name of ['one', ...(isMade ? ['two'] : [])]) assert.ok(await hasContent(api, name), `${name} lost what was in it`);
    },
    clean: async (api) => {
      for (const name of ['one', 'two']) await remove(api, name);
    },
  };
}

export const cloneVolume = copying('clone');
export const snapshotVolume = copying('snapshot');

/** From the one size to the other: it has the one or the other after a crash, and always what was in it. */
function resizing(before: number, after: number): Operation {
  const capacity = async (api: Api): Promise<number | undefined> => {
    interface Told {
      readonly Volumes: readonly { readonly UsageData: { readonly Capacity?: number } }[];
    }
    return (await api.json<Told>('GET', '/system/df?type=volume')).Volumes[0]?.UsageData.Capacity;
  };
  return {
    failpoints: ['volume.resize.plugin.call', 'volume.resize.called'],
    prepare: async (api) => {
      await expect(api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'one', DriverOpts: { size: String(before) } } });
      await prepare(api);
    },
    ask: async (api) => {
      await expect(api, 'POST', '/gantry/v1/volumes/one/resize', { statuses: [204], json: { Bytes: after } });
    },
    check: async (api, { acknowledged }) => {
      const found = await capacity(api);
      assert.ok(found === after || (!acknowledged && found === before), `it has ${found} bytes`);
      assert.ok(await hasContent(api, 'one'), 'it lost what was in it');
    },
    clean: async (api) => {
      await remove(api, 'one');
    },
  };
}

export const growVolume = resizing(16 << 20, 32 << 20);
export const shrinkVolume = resizing(32 << 20, 16 << 20);
