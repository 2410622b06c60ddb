import type { Image, ImageHistory } from '@gantry/sdk/engine';
import type { Job } from '../job.ts';
import type { Planned } from '../steps/planned.ts';
import type { StageState } from './state.ts';

/**
 * The step as an image that whoever builds trusts has it: one whose history begins with the one so far, layers and all, and goes on with
 * this step. The image of the step is made of it, or is it when no more comes.
 */
export async function fromCacheImages(job: Job, state: StageState, planned: Planned, keys: readonly string[]): Promise<string | undefined> {
  const { request, signal, cacheImages } = job;
  if (cacheImages.areNone) return undefined;
  const parent = state.imageId === '' ? undefined : request.engine.images.inspect(state.imageId);
  for await (const image of cacheImages.all()) {
    const found = matching(image, parent, planned.createdBy);
    if (found === undefined) continue;
    if (found.isLast) {
      cacheImages.keep(image.id);
      return image.id;
    }
    const { id } = await request.engine.builds.compose({
      parent: state.imageId,
      config: planned.config,
      platform: state.platform,
      author: state.author,
      createdBy: planned.createdBy,
      cacheKeys: keys,
      signal,
      ...(found.entry.created === undefined ? {} : { created: found.entry.created }),
      ...(found.entry.empty_layer === true ? {} : { layer: { like: image.id, layer: found.layer } }),
    });
    return id;
  }
  return undefined;
}

function matching(
  image: Image,
  parent: Image | undefined,
  createdBy: string,
): { readonly entry: ImageHistory; readonly layer: number; readonly isLast: boolean } | undefined {
  const [steps, before] = [image.config.history ?? [], parent?.config.history ?? []];
  const [layers, layersBefore] = [image.config.rootfs.diff_ids, parent?.config.rootfs.diff_ids ?? []];
  const entry = steps[before.length];
  if (entry?.created_by !== createdBy) return undefined;
  const isSame =
    before.every(
      (step, at) =>
        step.created_by === steps[at]?.created_by && step.created === steps[at]?.created && step.empty_layer === steps[at]?.empty_layer,
    ) && layersBefore.every((diffId, at) => diffId === layers[at]);
  return isSame ? { entry, layer: layersBefore.length, isLast: steps.length === before.length + 1 } : undefined;
}
