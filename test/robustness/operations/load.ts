import assert from 'node:assert/strict';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { makeImage } from '../../support/images/image-archive.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import { createContainer, expect, removeContainer, runToEnd } from '../requests.ts';
import type { Operation } from '../operation.ts';

// Two layers that the engine has not, above one that it shares with busybox.
const upper = ['a', 'b'].map((name) => Buffer.concat([entry(`etc/${name}`, name.repeat(100_000)), endOfArchive]));
const image = makeImage({ reference: 'loaded:1', layers: [busyboxLayer(), ...upper] });

export const load: Operation = {
  failpoints: [
    'load.spool',
    'load.member',
    'load.validate',
    'load.layer',
    'layer.stage',
    'layer.apply',
    'layer.sync',
    'layer.commit',
    'layer.settle',
    'layer.settled',
    'blob.rename',
    'blob.dirsync',
    'load.image.txn',
    'load.tags.txn',
  ],
  prepare: async () => undefined,
  ask: async (api) => {
    await api.stream('POST', '/images/load?quiet=1', { body: image.archive });
  },
  check: async (api, { acknowledged }) => {
    const images = await api.json<readonly { readonly Id: string; readonly RepoTags: readonly string[] }[]>('GET', '/images/json?all=1');
    const found = images.filter(({ Id }) => Id === image.imageId);
    assert.ok(found.length === 1 || (!acknowledged && found.length === 0), `${found.length} images`);
    // Never an image without its name, nor a name without its image.
    for (const { RepoTags } of found) assert.deepEqual(RepoTags, ['loaded:1']);
    if (found.length === 0) return;
    await createContainer(api, 'of-loaded', { image: 'loaded:1', command: ['cat', '/etc/a', '/etc/b'] });
    assert.equal(await runToEnd(api, 'of-loaded'), 0);
    await removeContainer(api, 'of-loaded');
  },
  clean: async (api) => {
    await expect(api, 'DELETE', '/images/loaded:1', { statuses: [200, 404] });
  },
};
