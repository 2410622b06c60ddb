/**
 * The builder contract: an image from a context folder and instructions. Lives in the engine's process and uses the Engine interface
 * alone, as any client would.
 */
import type { Engine } from '../engine/index.ts';
import type { Ctx } from '../types/index.ts';

export interface BuildRequest {
  readonly engine: Engine;
  readonly context: AsyncIterable<Buffer>;
  readonly dockerfile: string;
  readonly tags: readonly string[];
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
}
export interface BuilderDriver {
  /** Progress lines as they come; the last one carries the image id. */
  build(request: BuildRequest, ctx: Ctx): AsyncIterable<{ readonly stream?: string; readonly imageId?: string }>;
}
