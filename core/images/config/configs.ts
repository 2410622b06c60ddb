import { type Logger, messageOf } from '@gantry/sdk';
import type { ImageConfig } from '@gantry/sdk/engine';
import type { Content } from '../../content/index.ts';
import { parseImageConfig } from './image-config.ts';

/** Text of configs whose parsed form is kept: some thousand images; a parsed config takes about three times its text. */
const keptBytes = 16 * 1024 * 1024;

/** The configs of images, read and parsed when first asked for; what was not asked for longest goes first. */
export class ImageConfigs {
  readonly #content: Content;
  readonly #log: Logger;
  readonly #kept = new Map<string, { readonly config: ImageConfig; readonly bytes: number }>();
  #bytes = 0;

  constructor({ content, log }: { readonly content: Content; readonly log: Logger }) {
    this.#content = content;
    this.#log = log;
  }

  /** Throws `data_loss` when the disk no longer holds what was stored. */
  get(id: string): ImageConfig {
    const kept = this.#kept.get(id);
    if (kept === undefined) {
      const bytes = this.#content.readSmall(id);
      return this.#keep(id, { config: parseImageConfig(bytes, `config of image ${id}`), bytes: bytes.length });
    }
    this.#kept.delete(id);
    this.#kept.set(id, kept);
    return kept.config;
  }

  /** As `get`, but an image whose config is damaged has an empty one: it can still be listed and removed. */
  getOrEmpty(id: string): ImageConfig {
    try {
      return this.get(id);
    } catch (error) {
      this.#log.warn({ image: id, error: messageOf(error) }, 'image is damaged: load or pull it again');
      return damaged;
    }
  }

  forget(id: string): void {
    this.#bytes -= this.#kept.get(id)?.bytes ?? 0;
    this.#kept.delete(id);
  }

  #keep(id: string, entry: { readonly config: ImageConfig; readonly bytes: number }): ImageConfig {
    this.#kept.set(id, entry);
    this.#bytes += entry.bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= keptBytes || oldest === id) break;
      this.forget(oldest);
    }
    return entry.config;
  }
}

const damaged: ImageConfig = { architecture: '', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [] }, history: [] };
