import assert from 'node:assert/strict';
import { createContainer, removeContainer, runToEnd, statusOf } from '../requests.ts';
import type { Operation } from '../operation.ts';

export const create: Operation = {
  failpoints: [
    'create.name.reserve',
    'create.id.dir',
    'create.rw.layer',
    'rw.layer',
    'create.volumes.copyup',
    'volume.create.plugin.call',
    'volume.create.meta.txn',
    'create.meta.txn',
    'create.event',
  ],
  prepare: async () => undefined,
  ask: (api) => createContainer(api, 'made', { hostConfig: { Mounts: [{ Type: 'volume', Target: '/etc' }] } }),
  check: async (api, { acknowledged }) => {
    const status = await statusOf(api, 'made');
    assert.ok(acknowledged ? status !== 'absent' : ['absent', 'created'].includes(status), status);
    // Listed means startable, and the volume has what the image had there.
    if (status === 'created') assert.equal(await runToEnd(api, 'made'), 0);
  },
  clean: (api) => removeContainer(api, 'made'),
};
