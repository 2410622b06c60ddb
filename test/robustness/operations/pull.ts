import assert from 'node:assert/strict';
import type { Api } from '../../support/clients/api.ts';
import { busyboxLayer } from '../../support/images/busybox.ts';
import { makeImage } from '../../support/images/image-archive.ts';
import { indexedImage, putIndex } from '../../support/images/indexed-image.ts';
import { architecture } from '../../support/plugins/served-image.ts';
import { endOfArchive, entry } from '../../support/images/tar-builder.ts';
import { createContainer, expect, removeContainer, runToEnd } from '../requests.ts';
import type { Operation } from '../operation.ts';

const upper = Buffer.concat([entry('etc/pulled', 'p'.repeat(100_000)), endOfArchive]);

/** To a registry that knows the image, by now or soon. */
export function push(host: string): Operation {
  const name = `${host}/crash/app:1`;
  const { archive } = makeImage({ reference: name, layers: [busyboxLayer(), upper] });
  return {
    failpoints: ['push.manifest'],
    prepare: async () => undefined,
    ask: async (api) => {
      await api.stream('POST', '/images/load?quiet=1', { body: archive });
      await api.stream('POST', `/images/${encodeURIComponent(`${host}/crash/app`)}/push?tag=1`, noLogin);
    },
    check: async (api, { acknowledged }) => {
      const { status, body } = await api.call('GET', `/distribution/${name}/json`);
      assert.ok(status === 200 || !acknowledged, body);
    },
    clean: async (api) => {
      await expect(api, 'DELETE', `/images/${encodeURIComponent(name)}?force=1`, { statuses: [200, 404] });
    },
  };
}

/** What `push` left there. */
export function pull(host: string): Operation {
  const name = `${host}/crash/app:1`;
  const image = makeImage({ reference: name, layers: [busyboxLayer(), upper] });
  return {
    failpoints: ['pull.publish', 'layer.stage', 'layer.settle', 'load.image.txn', 'load.tags.txn'],
    prepare: async (api) => {
      await push(host).ask(api);
      await push(host).clean(api);
    },
    ask: async (api) => {
      await api.stream('POST', `/images/create?fromImage=${encodeURIComponent(`${host}/crash/app`)}&tag=1`);
    },
    check: async (api, { acknowledged }) => {
      const images = await api.json<readonly { readonly Id: string; readonly RepoTags: readonly string[] }[]>('GET', '/images/json?all=1');
      const found = images.filter(({ Id }) => Id === image.imageId);
      assert.ok(found.length === 1 || (!acknowledged && found.length === 0), `${found.length} images`);
      for (const { RepoTags } of found) assert.deepEqual(RepoTags, [name]);
      if (found.length === 0) return;
      await createContainer(api, 'of-pulled', { image: name, command: ['cat', '/etc/pulled'] });
      assert.equal(await runToEnd(api, 'of-pulled'), 0);
      await removeContainer(api, 'of-pulled');
    },
    clean: async (api) => {
      await expect(api, 'DELETE', `/images/${encodeURIComponent(name)}?force=1`, { statuses: [200, 404] });
    },
  };
}

/** One more platform comes to a name that is here. */
export function pullPlatform(host: string): Operation {
  const image = indexedImage('crash');
  const name = `${host}/acme/app:1`;
  const pulled = (api: Api, query: string) => api.stream('POST', `/images/create?fromImage=${encodeURIComponent(name)}${query}`);
  const idOf = (of: string): string => image.parts.get(of)?.id ?? '';
  return {
    failpoints: ['pull.publish', 'layer.stage', 'layer.settle', 'load.image.txn', 'load.tags.txn'],
    prepare: async (api) => {
      await putIndex(host, image, '1');
      await pulled(api, '');
    },
    ask: async (api) => {
      await pulled(api, '');
      await pulled(api, '&platform=linux/s390x');
    },
    check: async (api, { acknowledged }) => {
      const { Id, RepoTags } = await api.json<{ Id: string; RepoTags: string[] }>('GET', `/images/${encodeURIComponent(name)}/json`);
      assert.deepEqual([Id, RepoTags], [idOf(architecture), [name]]);
      const of = encodeURIComponent('{"os":"linux","architecture":"s390x"}');
      const { status, body } = await api.call('GET', `/images/${encodeURIComponent(name)}/json?platform=${of}`);
      assert.ok(status === 200 || (!acknowledged && status === 404), body);
      if (status === 200) assert.equal((JSON.parse(body) as { Id: string }).Id, idOf('s390x'));
    },
    clean: async (api) => {
      await expect(api, 'DELETE', `/images/${idOf('s390x')}?force=1`, { statuses: [200, 404] });
    },
  };
}

const noLogin = { headers: { 'x-registry-auth': Buffer.from('{}').toString('base64url') } };
