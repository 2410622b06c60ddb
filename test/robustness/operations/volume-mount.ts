import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Operation } from '../operation.ts';
import { createContainer, expect, removeContainer, statusOf } from '../requests.ts';

const name = 'mounts';

/** A container starts with a volume that the engine has to mount: afterwards it is mounted once, and runs, or not at all. */
export const mountVolume: Operation = {
  failpoints: ['volume.attach.described', 'volume.mount.make', 'volume.mount.made'],
  prepare: async (api) => {
    const DriverOpts = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' };
    await expect(api, 'POST', '/volumes/create', { statuses: [201], json: { Name: 'memory', Driver: 'local', DriverOpts } });
    const volume = { Type: 'volume', Source: 'memory', Target: '/v', VolumeOptions: { NoCopy: true } };
    await createContainer(api, name, { command: ['sleep', '1000'], hostConfig: { Mounts: [volume] } });
  },
  ask: async (api) => {
    await expect(api, 'POST', `/containers/${name}/start`, { statuses: [204, 304] });
  },
  check: async (api, { acknowledged }) => {
    const status = await statusOf(api, name);
    assert.ok(status === 'running' || (!acknowledged && (status === 'created' || status === 'exited')), status);
    const mounted = readFileSync('/proc/self/mountinfo', 'utf8').match(/\/exec\/volumes\//g)?.length ?? 0;
    assert.equal(mounted, status === 'running' ? 1 : 0, 'mounts of the volume');
  },
  clean: async (api) => {
    await removeContainer(api, name);
    await expect(api, 'DELETE', '/volumes/memory?force=1', { statuses: [204, 404] });
  },
};
