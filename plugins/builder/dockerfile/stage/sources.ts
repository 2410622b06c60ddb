import type { BuildTree } from '@gantry/sdk/engine';
import type { Job } from '../job.ts';
import { findStage } from '../parse/stages.ts';
import { baseImage } from './base-image.ts';

/** The image that `--from` names: a stage before this one, or any image, which is fetched when it is not here. */
export async function sourceImage(job: Job, word: string, stageIndex: number): Promise<string> {
  const stage = findStage(job.dockerfile.stages, word, stageIndex);
  if (stage !== undefined) return (await job.stage(stage.index)).imageId;
  return (await baseImage(job, word, { platform: job.request.platform, onProgress: () => undefined })).id;
}

/** The files of what `--from` names. */
export async function openSource(job: Job, word: string, stageIndex: number): Promise<BuildTree> {
  const { builds } = job.request.engine;
  const image = await sourceImage(job, word, stageIndex);
  return image === '' ? builds.openFiles([]) : builds.openImage(image, { signal: job.signal });
}
