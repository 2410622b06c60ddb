import assert from 'node:assert/strict';
import type { Operation } from '../operation.ts';
import { countProcesses, createContainer, expect, removeContainer, statusOf } from '../requests.ts';

const command = ['sleep', '7001'];
const hostConfig = {
  NetworkMode: 'bridge',
  PortBindings: { '80/tcp': [{ HostPort: '8080' }] },
  Binds: ['start-volume:/data'],
};

/** A container on a bridge, with a port and a volume. */
export const start: Operation = {
  failpoints: [
    'start.intent',
    'start.rw.mount',
    'rw.mount',
    'start.netns',
    'start.ipam',
    'start.veth',
    'start.bridge.attach',
    'start.port.listen',
    'start.fw.rules',
    'volume.attach.described',
    'start.vol.mount',
    'start.bundle',
    'start.monitor.spawn',
    'start.runtime.create',
    'start.intent.running',
    'start.runtime.start',
    'start.state.persist',
    'start.event',
  ],
  prepare: (api) => createContainer(api, 'started', { command, hostConfig }),
  ask: async (api) => {
    await expect(api, 'POST', '/containers/started/start', { statuses: [204, 304] });
  },
  check: async (api, { acknowledged }) => {
    const status = await statusOf(api, 'started');
    assert.ok(status === 'running' || (!acknowledged && ['created', 'exited'].includes(status)), status);
    assert.equal(countProcesses(command), status === 'running' ? 1 : 0, `${status}, and this many processes`);
  },
  clean: async (api) => {
    await removeContainer(api, 'started');
    await expect(api, 'DELETE', '/volumes/start-volume?force=1', { statuses: [204, 404] });
  },
};
