import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Logger, messageOf } from '@gantry/sdk';
import { syncfsAside } from '@gantry/sdk/linux';
import type { LayerRow, LayerRows } from '../metadata/index.ts';
import { failpoint } from '../support/index.ts';
import { kernelSession } from './kernel-session.ts';
import type { ImageLayers } from './image-layers.ts';
import type { Mending } from './mending.ts';
import { isFilledApart } from './stacking.ts';
import type { Views } from './views.ts';

interface Parts {
  readonly images: ImageLayers;
  readonly rows: LayerRows;
  readonly views: Views;
  readonly mending: Mending;
  readonly log: Logger;
}

/** As long as the kernel itself waits before it looks for what it should write; whoever starts a container after a load comes first. */
const quietMs = 5_000;

/** Of layers that the disk did not take: no session has them, and the next start unpacks them again. */
const lost = '';

/**
 * Layers whose blob is on the disk while their files are still in the page cache. A load need not wait for the files: the disk gets them
 * a little later, and what a power cut takes before that is unpacked again from the blob.
 */
export class Settling implements AsyncDisposable {
  readonly #parts: Parts;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What the rows of new layers say, by driver; nothing when their files are synced before they are recorded. */
  async marksOf(layers: readonly { readonly driver: string }[]): Promise<ReadonlyMap<string, string>> {
    const marks = new Map<string, string>();
    for (const driver of new Set(layers.map((layer) => layer.driver)))
      if (isFilledApart(await this.#parts.views.driver(driver))) marks.set(driver, this.#session(driver));
    return marks;
  }

  /** Soon the disk has what was recorded by now. */
  later(): void {
    this.#timer ??= setTimeout(() => void this.now(), quietMs).unref();
  }

  /** The disk has what was recorded by now, or a later start unpacks it again. */
  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
    this.#running = this.#settle().catch((error: unknown) =>
      this.#parts.log.warn({ error: messageOf(error) }, 'layers are not settled yet'),
    );
    await this.#running;
  }

  /** After a start: unpacks again what a power cut may have taken. `inUse`: chains that the kernel shows to somebody, and so has whole. */
  async mend(inUse: ReadonlySet<string>): Promise<void> {
    const doubtful = this.#unsettled();
    if (doubtful.length === 0) return;
    const gone = doubtful.filter(({ chainId, driver, unsettled }) => !inUse.has(chainId) && unsettled !== this.#session(driver));
    // Parents have shorter chains.
    for (const row of gone.toSorted((left, right) => this.#depth(left) - this.#depth(right))) await this.#unpackAgain(row);
    this.later();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#unsettled().length > 0) await this.now();
    clearTimeout(this.#timer);
  }

  async #settle(): Promise<void> {
    const { rows, images } = this.#parts;
    for (const [path, layers] of this.#byDevice()) {
      const chainIds = layers.map(({ chainId }) => chainId);
      failpoint('layer.settle');
      const isWritten = await syncfsOf(path);
      failpoint('layer.settled');
      if (!isWritten) this.#parts.log.error({ path, layers: chainIds }, 'the disk did not take layers: the next start unpacks them again');
      rows.markLayers(chainIds, isWritten ? undefined : lost);
      images.mark(chainIds, isWritten ? undefined : lost);
    }
  }

  #byDevice(): ReadonlyMap<string, readonly LayerRow[]> {
    const paths = new Map<number, string>();
    return Map.groupBy(
      this.#unsettled().filter(({ unsettled }) => unsettled !== lost),
      ({ driver }) => {
        const path = this.#parts.views.dataDir(driver);
        const device = statSync(path).dev;
        paths.set(device, paths.get(device) ?? path);
        return paths.get(device) ?? path;
      },
    );
  }

  async #unpackAgain(row: LayerRow): Promise<void> {
    const { images, rows, mending, log } = this.#parts;
    const { chainId, driver } = row;
    log.info({ layer: chainId }, 'unpacking a layer again that was not on the disk yet when the power went');
    try {
      await mending.unpackAgain(row);
      rows.markLayers([chainId], this.#session(driver));
      images.mark([chainId], this.#session(driver));
    } catch (error) {
      log.error(
        { layer: chainId, error: messageOf(error) },
        'a layer that the power cut took could not be unpacked again: load or pull its image',
      );
    }
  }

  #unsettled(): readonly LayerRow[] {
    return this.#parts.images.all().filter(({ unsettled }) => unsettled !== undefined);
  }

  #session(driver: string): string {
    return kernelSession(this.#parts.views.dataDir(driver));
  }

  #depth({ chainId }: LayerRow): number {
    return this.#parts.images.rowsOf(chainId).length;
  }
}

async function syncfsOf(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  return (await syncfsAside(file.fd)) === 0;
}
