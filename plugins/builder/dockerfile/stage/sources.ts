import { createHash } from 'node:crypto';
import type { BuildTree } from '@gantry/sdk/engine';
import type { Job } from '../job.ts';
import { findStage } from '../parse/stages.ts';
import { baseImage } from './base-image.ts';

/** The image that `--from` names: a named context, a stage before this one, or any image, which is fetched when it is not here. */
export async function sourceImage(job: Job, word: string, stageIndex: number): Promise<string> {
  const named = job.named(word);
  if (named?.kind === 'files') return filesImage(job, await named.open());
  const stage = named === undefined ? findStage(job.dockerfile.stages, word, stageIndex) : undefined;
  if (stage !== undefined) return (await job.stage(stage.index)).imageId;
  const image = named?.kind === 'image' ? await named.reference() : word;
  return (await baseImage(job, image, { platform: job.request.platform, onProgress: () => undefined })).id;
}

export interface CopyTree extends AsyncDisposable {
  readonly tree: BuildTree;
  readonly excluded: readonly string[];
}

/** The files of what `--from` names. */
export async function openSource(job: Job, word: string, stageIndex: number): Promise<CopyTree> {
  const named = job.named(word);
  // Others of its steps may copy from it too: it is closed with the build.
  if (named?.kind === 'files') return { ...(await named.open()), [Symbol.asyncDispose]: async () => undefined };
  const { builds } = job.request.engine;
  const image = await sourceImage(job, word, stageIndex);
  const tree = image === '' ? await builds.openFiles([]) : await builds.openImage(image, { signal: job.signal });
  return { tree, excluded: [], [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose]() };
}

/** Files as an image of one layer, made once for the same files. */
export async function filesImage(
  { request, signal }: Job,
  { tree, excluded }: { readonly tree: BuildTree; readonly excluded: readonly string[] },
): Promise<string> {
  const { builds } = request.engine;
  const choice = { sources: ['/'], exclude: excluded };
  const digest = await tree.digest(choice);
  const key = createHash('sha256').update(`context ${digest}`).digest('hex');
  const known = builds.cached(key);
  if (known !== undefined) return known;
  const copies = [{ ...choice, tree, destination: '/', isMany: false }];
  const createdBy = `build context ${digest}`;
  return (await builds.compose({ parent: '', config: {}, createdBy, layer: { copies }, cacheKeys: [key], signal })).id;
}
