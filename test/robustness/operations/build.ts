import assert from 'node:assert/strict';
import { contextTar } from '../../support/images/build-context.ts';
import type { Operation } from '../operation.ts';
import { createContainer, expect, removeContainer, runToEnd } from '../requests.ts';

const context = contextTar({
  Dockerfile: 'FROM busybox\nCOPY copied /copied\nRUN cat /copied > /run\nCMD ["grep", "-qx", "context", "/run"]\n',
  copied: 'context\n',
});

/** A step that copies, one that runs, and one that only says something. */
export const build: Operation = {
  failpoints: [
    'build.step.commit',
    'layer.stage',
    'layer.apply',
    'layer.sync',
    'layer.commit',
    'blob.rename',
    'blob.dirsync',
    'load.image.txn',
    'load.tags.txn',
  ],
  prepare: async () => undefined,
  ask: async (api) => {
    const answer = await api.stream('POST', '/build?t=built:1&networkmode=none', { body: context });
    assert.match(answer, /Successfully tagged built:1/);
  },
  check: async (api, { acknowledged }) => {
    const { status } = await api.call('GET', '/images/built:1/json');
    assert.ok(status === 200 || (!acknowledged && status === 404), String(status));
    if (status === 404) return;
    await createContainer(api, 'of-built', { image: 'built:1', command: ['grep', '-qx', 'context', '/run'] });
    assert.equal(await runToEnd(api, 'of-built'), 0);
    await removeContainer(api, 'of-built');
  },
  clean: async (api) => {
    await expect(api, 'DELETE', '/images/built:1', { statuses: [200, 404] });
    await expect(api, 'POST', '/build/prune?all=1', { statuses: [200] });
  },
};
