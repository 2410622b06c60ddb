import assert from 'node:assert/strict';
import type { Api } from '../support/clients/api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { countProcesses, createContainer, expect, removeContainer, statusOf } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const command = ['sleep', '7005'];

async function startOne(api: Api): Promise<void> {
  await createContainer(api, 'one', { command });
  await expect(api, 'POST', '/containers/one/start', { statuses: [204, 304] });
}

killAtEach('a kill', {
  failpoints: ['kill.signal'],
  prepare: startOne,
  ask: async (api) => {
    await expect(api, 'POST', '/containers/one/kill', { statuses: [204, 409] });
  },
  check: async (api, { acknowledged }) => {
    const status = await statusOf(api, 'one');
    assert.ok(status === 'exited' || (!acknowledged && status === 'running'), status);
    assert.equal(countProcesses(command), status === 'running' ? 1 : 0, status);
  },
  clean: (api) => removeContainer(api, 'one'),
});
