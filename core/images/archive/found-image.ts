import type { ImageConfig } from '@gantry/sdk/engine';
import type { ImageManifest } from '../../metadata/index.ts';
import type { Reference } from '../reference.ts';

/** An image that an archive holds, checked as far as can be without unpacking. */
export interface FoundImage {
  readonly id: string;
  readonly configBytes: Buffer;
  readonly config: ImageConfig;
  /** Names of members, the lowest layer first; one for each diff id. */
  readonly layers: readonly string[];
  readonly references: readonly Reference[];
  /** The id of another image of the archive that it was built on. */
  readonly parent?: string;
  /** What describes it with just these layers, where the archive has that. */
  readonly manifest?: ImageManifest;
  /** Of images for several platforms, which the references mean together. */
  readonly index?: ImageManifest;
}
