import { createHash } from 'node:crypto';
import { invalidArgument, notFound, notImplemented } from '@gantry/sdk';
import type { ContainerConfig, Image, Images } from '@gantry/sdk/engine';
import type { EventBus } from '../../../../core/events/index.ts';

/** Images that are nothing but a config and names. "Archives" of it are the config's JSON. */
export class MemoryImages implements Images {
  readonly #all = new Map<string, Image>();
  readonly #events: EventBus;

  constructor(events: EventBus) {
    this.#events = events;
    this.add({ config: { Cmd: ['true'], Labels: { made: 'up' } }, references: ['busybox:latest'] });
  }

  add({ config, references }: { readonly config: ContainerConfig; readonly references: readonly string[] }): string {
    const created = '2026-01-01T00:00:00Z';
    const document = { architecture: 'amd64', os: 'linux', created, config, rootfs: { type: 'layers' as const, diff_ids: [] } };
    const id = `sha256:${createHash('sha256').update(JSON.stringify(document)).digest('hex')}`;
    const repoTags = references.map(withTag);
    for (const [otherId, other] of this.#all) {
      this.#all.set(otherId, { ...other, repoTags: other.repoTags.filter((tag) => !repoTags.includes(tag)) });
    }
    const known = this.#all.get(id)?.repoTags ?? [];
    this.#all.set(id, {
      id,
      parent: '',
      repoTags: [...new Set([...known, ...repoTags])],
      repoDigests: [],
      created,
      sizeBytes: 4_711,
      config: document,
      chainIds: [],
      graphDriver: 'memory',
      graphData: {},
      lastTagged: '',
      comment: '',
    });
    return id;
  }

  list: Images['list'] = async ({ filters = {} }) => {
    for (const key of Object.keys(filters)) {
      if (!['dangling', 'reference', 'label', 'until', 'before', 'since'].includes(key)) throw invalidArgument(`invalid filter '${key}'`);
    }
    return [...this.#all.values()].map((image) => ({ ...image, sharedSizeBytes: -1, containers: -1 }));
  };

  manifests = (): ReturnType<Images['manifests']> => [];

  inspect(text: string): Image {
    if (/[A-Z]/.test(text.split(':')[0] ?? '')) {
      throw invalidArgument(`invalid reference format: repository name (library/${text}) must be lowercase`);
    }
    const name = withTag(text);
    const found = [...this.#all.values()].find(
      ({ id, repoTags }) => repoTags.includes(name) || id === text || id.startsWith(`sha256:${text}`),
    );
    if (found === undefined || text === '') throw notFound(`No such image: ${name}`);
    return found;
  }

  history: Images['history'] = (text) => [
    { id: this.inspect(text).id, tags: this.inspect(text).repoTags, sizeBytes: 4_711, created_by: 'magic' },
  ];

  tag: Images['tag'] = async (text, reference) => {
    const image = this.inspect(text);
    this.#all.set(image.id, { ...image, repoTags: [...image.repoTags, withTag(reference)] });
    this.#events.publish('image', 'tag', image.id, { name: withTag(reference) });
  };

  tagAll: Images['tagAll'] = async ([image = ''], reference) => this.tag(image, reference);

  remove: Images['remove'] = async (text) => {
    const image = this.inspect(text);
    const left = image.repoTags.filter((tag) => tag !== withTag(text));
    if (left.length > 0 && left.length < image.repoTags.length) {
      this.#all.set(image.id, { ...image, repoTags: left });
      return [{ untagged: withTag(text) }];
    }
    this.#all.delete(image.id);
    return [...image.repoTags.map((untagged) => ({ untagged })), { deleted: image.id }];
  };

  prune: Images['prune'] = async () => ({ deleted: [], spaceReclaimed: 0 });

  save: Images['save'] = async (names) => {
    const documents = names
      .map((name) => this.inspect(name))
      .map(({ config, repoTags }) => ({ config: config.config ?? {}, references: repoTags }));
    return (async function* () {
      yield Buffer.from(JSON.stringify(documents));
    })();
  };

  load: Images['load'] = async (tar, { onProgress }) => {
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    if (!text.startsWith('[')) throw invalidArgument('archive/tar: invalid tar header');
    onProgress?.({ status: 'Loading layer', id: 'abc', progressDetail: { current: 1, total: 2 } });
    const documents = JSON.parse(text) as readonly { readonly config: ContainerConfig; readonly references: readonly string[] }[];
    return documents.flatMap((document) => {
      const id = this.add(document);
      return document.references.length === 0 ? [{ id }] : document.references.map((reference) => ({ id, reference }));
    });
  };

  import: Images['import'] = async ({ tar, reference }) => {
    for await (const chunk of tar) void chunk;
    return {
      id: this.add({
        config: { Cmd: ['true'], Labels: { imported: reference ?? '' } },
        references: reference === undefined ? [] : [reference],
      }),
    };
  };

  pull: Images['pull'] = async (reference, { onProgress }) => {
    if (!withTag(reference).startsWith('pullable')) throw notImplemented('no transport plugin is loaded');
    onProgress?.({ status: `Pulling from ${reference}`, id: 'latest' });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    if (reference.includes('broken')) throw notFound(`manifest for ${reference} not found`);
    this.add({ config: { Cmd: ['true'], Labels: { pulled: reference } }, references: [reference] });
    onProgress?.({ status: `Status: Downloaded newer image for ${reference}` });
  };

  inspectRemote: Images['inspectRemote'] = async (reference) => {
    if (!withTag(reference).startsWith('pullable')) throw notFound(`manifest for ${reference} not found`);
    const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${'a'.repeat(64)}`, size: 2 };
    return { descriptor, platforms: [{ os: 'linux', architecture: 'amd64' }], manifests: [{ digest: descriptor.digest }] };
  };

  push: Images['push'] = async (text) => {
    this.inspect(text);
    throw notImplemented('no transport plugin is loaded');
  };
}

function withTag(reference: string): string {
  const name = reference.replace(/^docker\.io\/(library\/)?/, '');
  return name.lastIndexOf(':') > name.lastIndexOf('/') ? name : `${name}:latest`;
}
