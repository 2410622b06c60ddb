import assert from 'node:assert/strict';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { createContainer, expect, removeContainer, statusOf } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

const command = ['sh', '-c', 'echo changed > /etc/changed; exec sleep 7004'];

killAtEach('a commit', {
  failpoints: ['commit.pause', 'diff.write'],
  prepare: async (api) => {
    await createContainer(api, 'committed', { command });
    await expect(api, 'POST', '/containers/committed/start', { statuses: [204] });
  },
  ask: async (api) => {
    await expect(api, 'POST', '/commit?container=committed&repo=commit&tag=1&pause=1', { statuses: [201] });
  },
  check: async (api, { acknowledged }) => {
    // The engine paused it, not a user: nobody else would let it go on.
    assert.equal(await statusOf(api, 'committed'), 'running');
    await expect(api, 'GET', '/images/commit:1/json', { statuses: acknowledged ? [200] : [200, 404] });
  },
  clean: async (api) => {
    await removeContainer(api, 'committed');
    await expect(api, 'DELETE', '/images/commit:1', { statuses: [200, 404] });
  },
});
