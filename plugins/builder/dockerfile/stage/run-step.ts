import { createHash } from 'node:crypto';
import type { BuildStep, ContainerConfig } from '@gantry/sdk/engine';
import type { Job } from '../job.ts';
import { stepError } from '../parse/complaint.ts';
import type { Instruction } from '../parse/instruction.ts';
import { planCopy } from '../steps/copy.ts';
import { metadataPlans } from '../steps/metadata.ts';
import type { Plan, Planned } from '../steps/planned.ts';
import { planRun } from '../steps/run.ts';
import { planWorkdir } from '../steps/workdir.ts';
import { fromCacheImages } from './cache-from.ts';
import type { StageState } from './state.ts';

export interface StepPlace {
  readonly number: number;
  readonly total: number;
  readonly stage: number;
  readonly stageName: string;
  readonly isTrigger?: boolean;
  readonly usesCache: boolean;
  /** Steps of other stages that it stands on. */
  readonly after?: readonly number[];
}

const plans: Readonly<Record<Exclude<Instruction['name'], 'FROM'>, Plan>> = {
  ...metadataPlans,
  WORKDIR: planWorkdir,
  COPY: planCopy,
  ADD: planCopy,
  RUN: planRun,
};

/** One step: looked up in the cache, or done. Tells what becomes of it. */
export async function runStep(job: Job, state: StageState, instruction: Instruction, place: StepPlace): Promise<StageState> {
  const { request, signal } = job;
  const { number, total, stage, stageName, isTrigger = false, after = [] } = place;
  const step = job.numbers.next++;
  signal.throwIfAborted();
  const before = state.lastStep === undefined ? after : [state.lastStep, ...after];
  request.onEvent({ kind: 'step', step, number, total, stage, stageName, text: instruction.text, isTrigger, after: before });
  try {
    const plan = instruction.name === 'FROM' ? undefined : plans[instruction.name];
    const planned = await plan?.({ job, state, instruction, stageIndex: stage });
    if (planned === undefined) return state;
    try {
      return await carryOut(job, state, planned, { step, usesCache: place.usesCache });
    } finally {
      await planned.close?.();
    }
  } catch (error) {
    const told = stepError(instruction, error);
    request.onEvent({ kind: 'failed', step, error: told });
    throw told;
  }
}

async function carryOut(
  job: Job,
  state: StageState,
  planned: Planned,
  { step, usesCache }: { readonly step: number; readonly usesCache: boolean },
): Promise<StageState> {
  const keys: string[] = [];
  for (const key of planned.keys ?? [async () => JSON.stringify(planned.config)]) keys.push(cacheKey(job, state, planned, await key()));
  let known = usesCache ? (cachedImage(job, keys) ?? (await fromCacheImages(job, state, planned, keys))) : undefined;
  const layerKey = known === undefined ? await planned.layerKey?.() : undefined;
  if (layerKey !== undefined) keys.push(layerKey);
  if (usesCache && layerKey !== undefined) known = await onAnotherParent(job, state, planned, { keys, layerKey });
  const imageId = known ?? (await make(job, state, planned, { step, keys }));
  job.request.onEvent({ kind: 'done', step, imageId, isCached: known !== undefined });
  return {
    ...state,
    imageId,
    config: planned.config,
    lastStep: step,
    ...(planned.author === undefined ? {} : { author: planned.author }),
    ...(planned.args === undefined ? {} : { args: planned.args }),
    ...(planned.isCommandSet === undefined ? {} : { isCommandSet: planned.isCommandSet }),
  };
}

function cachedImage({ request }: Job, keys: readonly string[]): string | undefined {
  for (const key of keys) {
    const found = request.engine.builds.cached(key);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The layer that such a step made elsewhere, on this parent. */
async function onAnotherParent(
  job: Job,
  state: StageState,
  planned: Planned,
  { keys, layerKey }: { readonly keys: readonly string[]; readonly layerKey: string },
): Promise<string | undefined> {
  const { images } = job.request.engine;
  const like = cachedImage(job, [layerKey]);
  if (like === undefined) return undefined;
  const { diff_ids: diffIds } = images.inspect(like).config.rootfs;
  return (await composed(job, state, planned, { keys, layer: { like, layer: diffIds.length - 1 } })).id;
}

async function make(
  job: Job,
  state: StageState,
  planned: Planned,
  { step, keys }: { readonly step: number; readonly keys: readonly string[] },
): Promise<string> {
  const made = await planned.make?.(step);
  let isWhole = false;
  try {
    const { id } = await composed(job, state, planned, { keys, layer: made?.layer });
    isWhole = true;
    return id;
  } finally {
    await made?.done({ isWhole });
  }
}

function composed(
  { request, signal, created }: Job,
  state: StageState,
  planned: Planned,
  { keys, layer }: { readonly keys: readonly string[]; readonly layer: BuildStep['layer'] },
): Promise<{ readonly id: string }> {
  return request.engine.builds.compose({
    parent: state.imageId,
    config: withoutUndefined(planned.config),
    platform: state.platform,
    author: planned.author ?? state.author,
    createdBy: planned.createdBy,
    cacheKeys: keys,
    signal,
    ...(created === undefined ? {} : { created }),
    ...(layer === undefined ? {} : { layer }),
  });
}

/** The parent's id stands for all that was before: its files, its config, its platform. */
function cacheKey({ created }: Job, { imageId, platform, author }: StageState, { createdBy }: Planned, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify(['v1', imageId, platform, author, createdBy, created ?? '', key]))
    .digest('hex');
}

function withoutUndefined(config: ContainerConfig): ContainerConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}
