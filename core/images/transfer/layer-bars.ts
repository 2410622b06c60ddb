import type { OnProgress } from '@gantry/sdk/engine';
import type { Descriptor } from '../archive/descriptor.ts';
import type { DownloadProgress } from './downloads.ts';
import { shortDigest } from './registry-call.ts';

/** A bar moves this often at most: more is only work, for both sides. */
const everyMs = 100;

/** The layers of a pull in the words that the docker CLI turns into bars. */
export class LayerBars {
  readonly #layers: readonly Descriptor[];
  readonly #onProgress: OnProgress;
  readonly #arrived = new Set<number>();

  constructor(layers: readonly Descriptor[], onProgress: OnProgress) {
    this.#layers = layers;
    this.#onProgress = onProgress;
  }

  exists(at: number): void {
    this.#tell(at, 'Already exists');
  }

  of(at: number): DownloadProgress {
    const total = this.#layers[at]?.size ?? 0;
    let nextMs = 0;
    this.#tell(at, 'Pulling fs layer');
    return {
      waiting: () => this.#tell(at, 'Waiting'),
      arrived: (current) => {
        const nowMs = performance.now();
        if (nowMs < nextMs) return;
        nextMs = nowMs + everyMs;
        this.#tell(at, 'Downloading', { current, total });
      },
      retrying: (pauseMs) => this.#tell(at, `Retrying in ${Math.ceil(pauseMs / 1000)} second${pauseMs > 1000 ? 's' : ''}`),
    };
  }

  arrived(at: number): void {
    this.#arrived.add(at);
    const total = this.#layers[at]?.size ?? 0;
    this.#tell(at, 'Verifying Checksum');
    this.#tell(at, 'Download complete');
    this.#tell(at, 'Extracting', { current: total, total });
  }

  complete(at: number): void {
    if (this.#arrived.delete(at)) this.#tell(at, 'Pull complete');
  }

  /** Also those that somebody else unpacked meanwhile. */
  completeAll(): void {
    for (const at of [...this.#arrived].toSorted((left, right) => left - right)) this.complete(at);
  }

  #tell(at: number, status: string, progressDetail: { readonly current?: number; readonly total?: number } = {}): void {
    this.#onProgress({ status, progressDetail, id: shortDigest(this.#layers[at]?.digest ?? '') });
  }
}
