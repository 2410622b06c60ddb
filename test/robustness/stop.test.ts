import assert from 'node:assert/strict';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { countProcesses, createContainer, expect, removeContainer } from './requests.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

// Process 1 of a pid namespace ignores SIGTERM unless it handles it, so every step up to SIGKILL is passed.
const command = ['sleep', '7002'];

killAtEach('a stop', {
  failpoints: [
    'stop.signal',
    'stop.wait',
    'stop.sigkill',
    'stop.exit.collect',
    'stop.net.down',
    'stop.restart-policy',
    'stop.state',
    'stop.umount',
  ],
  prepare: async (api) => {
    await createContainer(api, 'stopped', { command, hostConfig: { NetworkMode: 'bridge' } });
    await expect(api, 'POST', '/containers/stopped/start', { statuses: [204] });
  },
  ask: async (api) => {
    await expect(api, 'POST', '/containers/stopped/stop?t=1', { statuses: [204, 304] });
  },
  check: async (api, { acknowledged }) => {
    const { State } = await api.json<{ readonly State: { readonly Status: string; readonly ExitCode: number } }>(
      'GET',
      '/containers/stopped/json',
    );
    assert.ok(State.Status === 'exited' || (!acknowledged && State.Status === 'running'), State.Status);
    if (State.Status === 'exited') assert.equal(State.ExitCode, 137);
    assert.equal(countProcesses(command), State.Status === 'running' ? 1 : 0);
  },
  clean: (api) => removeContainer(api, 'stopped'),
});
