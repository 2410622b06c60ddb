import { invalidArgument } from '@gantry/sdk';
import { Reserve } from '../../support/index.ts';

/** That no honest layer comes near. */
const maxLayerBytes = 64 * 2 ** 30;
const maxEntries = 4_000_000;

/** What one archive may bring to the tree that is this thread's root. */
export class UnpackLimits {
  readonly #reserve: Reserve | undefined;
  #totalBytes = 0;
  #entries = 0;

  constructor({ keepsReserve }: { readonly keepsReserve: boolean }) {
    this.#reserve = keepsReserve ? new Reserve('/') : undefined;
  }

  /** Bytes of all files. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  countEntry(): void {
    if (++this.#entries > maxEntries) throw invalidArgument(`archive with more than ${maxEntries} entries`);
  }

  countFile(sizeBytes: number): void {
    this.#totalBytes += sizeBytes;
    if (this.#totalBytes > maxLayerBytes) throw invalidArgument(`archive of more than ${maxLayerBytes} bytes`);
  }

  countWritten(bytes: number): void {
    this.#reserve?.count(bytes);
  }
}
