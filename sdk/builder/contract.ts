/**
 * The builder contract: an image from a context and instructions. Lives in the engine's process and uses the Engine interface alone, as
 * any client would: steps run in containers of `engine.containers`, and `engine.builds` has the files, the cache and the images of steps.
 *
 * build() resolves with the image's id when all of it is there; naming it is the engine's. It rejects with the first failure of any step,
 * when the others have ended. Abort ends running steps; their containers are gone when build() rejects.
 */
import type { BuildImage, Engine } from '../engine/index.ts';
import type { Ctx } from '../types/index.ts';

export interface BuildRequest extends Omit<BuildImage, 'signal' | 'tags'> {
  readonly engine: Engine;
}
/** Volumes that carry it are what steps keep for later ones (`RUN --mount=type=cache`): pruning the build cache removes them. */
export const buildCacheLabel = 'gantry.build.cache';

/** An annotation of containers that run steps. Those that a killed engine left unfinished are removed at its next start. */
export const buildStepAnnotation = 'gantry.build.step';

export interface BuilderDriver {
  build(request: BuildRequest, ctx: Ctx): Promise<{ readonly imageId: string }>;
}
