import { conflict } from '@gantry/sdk';
import type { CheckOptions, CheckReport } from '@gantry/sdk/engine';
import type { Content } from '../content/index.ts';
import type { ImagesRoom } from '../images/index.ts';
import type { Layers } from '../layers/index.ts';
import type { Database } from '../metadata/index.ts';
import { checkBlobs } from './blobs.ts';
import { Examination } from './examination.ts';
import { checkLayers } from './layers.ts';
import { checkSnapshots } from './snapshots.ts';
import { checkVolumes, type VolumesToCheck } from './volumes.ts';

export interface StoreCheckParts {
  readonly database: Pick<Database, 'problems'>;
  readonly content: Content;
  readonly layers: Layers;
  readonly images: ImagesRoom;
  readonly volumes: VolumesToCheck;
}

/** `gantry system check`: everything is read once and held against the store. One at a time. */
export class StoreCheck {
  readonly #parts: StoreCheckParts;
  #isRunning = false;

  constructor(parts: StoreCheckParts) {
    this.#parts = parts;
  }

  /** Abort ends it between two things, each of which is then mended or not. `conflict` while another one runs. */
  async run(options: CheckOptions): Promise<CheckReport> {
    if (this.#isRunning) throw conflict('a check is running already');
    this.#isRunning = true;
    try {
      const examination = new Examination(options);
      await this.#checkStore(examination);
      await checkBlobs(this.#parts, examination);
      await checkSnapshots(this.#parts, examination);
      await checkLayers(this.#parts, examination);
      await checkVolumes(this.#parts, examination);
      return examination.report;
    } finally {
      this.#isRunning = false;
    }
  }

  async #checkStore(examination: Examination): Promise<void> {
    for (const problem of this.#parts.database.problems()) {
      const advice = 'stop the engine, keep a copy of metadata.db, and restore it from a backup';
      await examination.found({ kind: 'store', id: 'metadata.db', problem, usedBy: [], advice });
    }
  }
}
