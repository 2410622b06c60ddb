import assert from 'node:assert/strict';
import { countProcesses, createContainer, expect, removeContainer, statusOf } from '../requests.ts';
import type { Operation } from '../operation.ts';

const command = ['sleep', '7003'];

export const remove: Operation = {
  failpoints: [
    'remove.kill',
    'remove.intent.removing',
    'remove.vol.unref',
    'remove.rw.layer',
    'rw.rename',
    'volume.rm.plugin.call',
    'volume.rm.meta.txn',
    'remove.meta.txn',
    'remove.end',
  ],
  prepare: async (api) => {
    await createContainer(api, 'removed', { command, hostConfig: { Mounts: [{ Type: 'volume', Target: '/data' }] } });
    await expect(api, 'POST', '/containers/removed/start', { statuses: [204] });
  },
  ask: (api) => removeContainer(api, 'removed'),
  check: async (api, { acknowledged }) => {
    const status = await statusOf(api, 'removed');
    if (acknowledged) assert.equal(status, 'absent');
    assert.equal(countProcesses(command), status === 'running' ? 1 : 0, `${status}, and this many processes`);
  },
  clean: (api) => removeContainer(api, 'removed'),
};
