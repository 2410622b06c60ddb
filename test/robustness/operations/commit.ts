import assert from 'node:assert/strict';
import type { Operation } from '../operation.ts';
import { createContainer, expect, removeContainer, runToEnd } from '../requests.ts';

/** Of a container that has ended, so that all of it can happen on a machine that was started anew. */
export const commit: Operation = {
  failpoints: [
    'diff.write',
    'layer.stage',
    'layer.apply',
    'layer.sync',
    'layer.commit',
    'blob.rename',
    'blob.dirsync',
    'load.image.txn',
    'load.tags.txn',
  ],
  prepare: async (api) => {
    await createContainer(api, 'ended', { command: ['sh', '-c', 'echo changed > /etc/changed; sync'] });
    assert.equal(await runToEnd(api, 'ended'), 0);
  },
  ask: async (api) => {
    await expect(api, 'POST', '/commit?container=ended&repo=commit&tag=1', { statuses: [201] });
  },
  check: async (api, { acknowledged }) => {
    const { status } = await api.call('GET', '/images/commit:1/json');
    assert.ok(status === 200 || (!acknowledged && status === 404), String(status));
    if (status === 404) return;
    await createContainer(api, 'of-commit', { image: 'commit:1', command: ['grep', '-qx', 'changed', '/etc/changed'] });
    assert.equal(await runToEnd(api, 'of-commit'), 0);
    await removeContainer(api, 'of-commit');
  },
  clean: async (api) => {
    await removeContainer(api, 'ended');
    await expect(api, 'DELETE', '/images/commit:1', { statuses: [200, 404] });
  },
};
