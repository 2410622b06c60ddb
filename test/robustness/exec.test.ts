import assert from 'node:assert/strict';
import type { Api } from '../support/clients/api.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { countProcesses, createContainer, expect, removeContainer, runExec, statusOf } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const command = ['sleep', '7005'];

async function startOne(api: Api): Promise<void> {
  await createContainer(api, 'one', { command });
  await expect(api, 'POST', '/containers/one/start', { statuses: [204, 304] });
}

killAtEach('an exec', {
  failpoints: ['exec.start'],
  prepare: startOne,
  ask: async (api) => {
    assert.equal(await runExec(api, 'one', ['sh', '-c', 'echo out; exit 3']), 3);
  },
  check: async (api) => {
    assert.equal(await statusOf(api, 'one'), 'running');
    assert.equal(countProcesses(command), 1);
  },
  clean: (api) => removeContainer(api, 'one'),
});
