import assert from 'node:assert/strict';
import type { Api } from '../../support/clients/api.ts';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { makeImage } from '../../support/images/image-archive.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import type { Operation } from '../operation.ts';
import { expect } from '../requests.ts';

const ownLayer = Buffer.concat([entry('etc/own', 'own'), endOfArchive]);
const image = makeImage({ reference: 'removed:1', layers: [busyboxLayer(), ownLayer] });
const remove = (api: Api) => expect(api, 'DELETE', '/images/removed:1', { statuses: [200, 404] });

export const removeImage: Operation = {
  failpoints: ['image.remove.txn', 'image.remove.files'],
  prepare: async (api) => {
    await api.stream('POST', '/images/load?quiet=1', { body: image.archive });
  },
  ask: async (api) => {
    await remove(api);
  },
  check: async (api, { acknowledged }) => {
    const { status } = await api.call('GET', '/images/removed:1/json');
    assert.ok(status === 404 || (!acknowledged && status === 200), String(status));
    // The layer that it shared is still there for the other image.
    await expect(api, 'GET', '/images/busybox/json', { statuses: [200] });
  },
  clean: async (api) => {
    await remove(api);
  },
};

/** The same by `prune`, which spares busybox: a container uses it. */
export const pruneImages: Operation = {
  ...removeImage,
  prepare: async (api) => {
    await removeImage.prepare(api);
    await expect(api, 'POST', '/containers/create?name=spares', { statuses: [201, 409], json: { Image: 'busybox' } });
  },
  ask: async (api) => {
    await expect(api, 'POST', `/images/prune?filters=${encodeURIComponent('{"dangling":["false"]}')}`, { statuses: [200] });
  },
};
