import { writeFile } from 'node:fs/promises';
import { notFound } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import { fits, noneFor, parsePlatform } from '../../../core/images/platform.ts';
import type { Content } from '../../../core/content/index.ts';
import type { Layers } from '../../../core/layers/index.ts';
import type { ContainerImage, ContainerImages } from '../../../core/lifecycle/index.ts';
import { createHash } from 'node:crypto';
import type { Database } from '../../../core/metadata/index.ts';
import { endOfArchive, entry, header } from './tar-builder.ts';
import { busyboxLayer } from './busybox.ts';

/** Images by name over the real layers, without registries and archives: for tests of what runs. */
export class TestImages implements ContainerImages {
  readonly #images = new Map<string, ContainerImage>();
  readonly #parts: { readonly database: Database; readonly layers: Layers; readonly content: Content; readonly graphDriver: string };

  constructor(parts: { readonly database: Database; readonly layers: Layers; readonly content: Content; readonly graphDriver: string }) {
    this.#parts = parts;
  }

  /** An image whose layers are busybox and further files. */
  async add(name: string, files: readonly Buffer[] = [], config: ImageConfig['config'] = {}): Promise<ContainerImage> {
    const tars = [busyboxLayer(), ...(files.length > 0 ? [Buffer.concat([...files, endOfArchive])] : [])];
    const sources = await Promise.all(
      tars.map(async (tar) => {
        const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
        const path = this.#parts.content.newIngestPath();
        await writeFile(path, tar);
        return { diffId, blob: { path, digest: diffId, sizeBytes: tar.length, size: tar.length } };
      }),
    );
    await using staged = await this.#parts.layers.images.stage([sources], { graphDriver: this.#parts.graphDriver });
    const chainIds = staged.chainIds[0] ?? [];
    const full = {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers' as const, diff_ids: sources.map(({ diffId }) => diffId) },
      config: { Cmd: ['sh'], Env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'], ...config },
    };
    const id = `sha256:${createHash('sha256').update(JSON.stringify(full)).digest('hex')}`;
    this.#parts.database.transaction(() => {
      staged.record();
      const values = [id, '', chainIds.at(-1) ?? '', 1, '', Date.now()];
      this.#parts.database.run(
        'INSERT OR REPLACE INTO images (id, parent, top_chain, built_here, last_tagged, added) VALUES (?, ?, ?, ?, ?, ?)',
        ...values,
      );
    });
    staged.keep();
    const image = { id, config: full, chainIds, graphDriver: this.#parts.graphDriver };
    this.#images.set(name, image);
    return image;
  }

  resolve(reference: string, platform = ''): ContainerImage {
    const image = this.#images.get(reference) ?? [...this.#images.values()].find(({ id }) => id === reference);
    if (image === undefined) throw notFound(`No such image: ${reference}`);
    const wanted = platform === '' ? undefined : parsePlatform(platform);
    if (wanted !== undefined && !fits(image.config, wanted)) throw noneFor(reference, [image.config], wanted);
    return image;
  }

  descendantsOf(reference: string): ReadonlySet<string> {
    const image = this.#images.get(reference);
    return new Set(image ? [image.id] : []);
  }

  used(): void {}

  mount(reference: string) {
    return this.#parts.layers.images.show(this.resolve(reference).chainIds.at(-1) ?? '');
  }

  commit(): Promise<never> {
    throw new Error('not in these tests');
  }
}

export { entry as file, header };
