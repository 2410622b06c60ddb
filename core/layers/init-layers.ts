import type { Abortable } from '@gantry/sdk';
import type { LayerRows } from '../metadata/index.ts';
import { KeyedMutex, randomId } from '../support/index.ts';
import type { ImageLayers } from './image-layers.ts';
import type { Views } from './views.ts';
import type { TreeWorkers } from './worker/pool.ts';

interface Parts {
  readonly rows: LayerRows;
  readonly images: ImageLayers;
  readonly views: Views;
  readonly workers: TreeWorkers;
}

/** One layer above each image, which all its containers share: mount points and stub files that the runtime needs. */
export class InitLayers {
  readonly #parts: Parts;
  /** Keys by image and driver. */
  readonly #known: Map<string, string>;
  readonly #mutex = new KeyedMutex();
  /** Keys whose rows are still to come. */
  readonly #making = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#known = new Map(parts.rows.initLayers().map(({ topChain, driver, key }) => [nameOf(topChain, driver), key]));
  }

  /** Its key: made once, by whoever comes first. */
  async of(topChain: string, driver: string, { signal }: Abortable): Promise<string> {
    const name = nameOf(topChain, driver);
    using _held = await this.#mutex.acquire(name, { signal });
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { views, images, workers, rows } = this.#parts;
    const key = randomId();
    this.#making.add(key);
    using _making = { [Symbol.dispose]: () => this.#making.delete(key) };
    const chain = images.keysOf(topChain);
    const graph = await views.driver(driver);
    await graph.prepare({ key, chain }, views.context(signal));
    {
      await using shown = await views.show({ driver, key, chain }, { readOnly: false, view: 'merged', signal });
      await workers.run('init', { root: shown.path }, { signal });
    }
    await graph.commit({ key, name: key, chain }, views.context(signal));
    rows.addInitLayer({ topChain, driver, key });
    this.#known.set(name, key);
    return key;
  }

  /** Whether it is being made. */
  isMaking(key: string): boolean {
    return this.#making.has(key);
  }

  /** Forgets those of images that are gone. */
  forget(): void {
    const left = new Set(this.#parts.rows.initLayers().map(({ key }) => key));
    for (const [name, key] of this.#known) if (!left.has(key)) this.#known.delete(name);
  }
}

function nameOf(topChain: string, driver: string): string {
  return `${driver} ${topChain}`;
}
