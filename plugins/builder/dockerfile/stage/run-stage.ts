import { invalidArgument } from '@gantry/sdk';
import { expand, valueIn } from '@gantry/sdk/builder';
import type { ContainerConfig } from '@gantry/sdk/engine';
import type { Job } from '../job.ts';
import { stepError } from '../parse/complaint.ts';
import { type Instruction, triggerOf, valueOf } from '../parse/instruction.ts';
import { findStage, type Stage } from '../parse/stages.ts';
import { baseImage } from './base-image.ts';
import { filesImage } from './sources.ts';
import { runStep, type StepPlace } from './run-step.ts';
import { defaultPath, type StageState } from './state.ts';

/** Where a stage's steps stand among all. */
export interface StageNumbers {
  readonly first: number;
  readonly total: number;
  /** Steps that the Dockerfile does not have, after the stage's own. */
  readonly extra: readonly Instruction[];
}

/** All steps of a stage, one after the other. */
export async function runStage(job: Job, stage: Stage, { first, total, extra }: StageNumbers): Promise<StageState> {
  const { noCache } = job.request;
  const usesCache = typeof noCache === 'boolean' ? !noCache : noCache.length > 0 && !noCache.includes(stage.name);
  const place = { total, stage: stage.index, stageName: stage.name, usesCache };
  let state = await begin(job, stage, { ...place, number: first });
  for (const [at, instruction] of [...stage.steps, ...extra].entries())
    state = await runStep(job, state, instruction, { ...place, number: first + 1 + at });
  job.request.onEvent({ kind: 'stage', stage: stage.index, imageId: state.imageId });
  return state;
}

/** FROM, and what the base image wants done by whoever builds on it. */
async function begin(job: Job, stage: Stage, place: StepPlace): Promise<StageState> {
  const { request } = job;
  const { from } = stage;
  const step = job.numbers.next++;
  request.onEvent({ kind: 'step', step, ...place, text: from.text, isTrigger: false, after: [] });
  let state: StageState;
  try {
    state = { ...(await baseState(job, stage, step)), lastStep: step };
  } catch (error) {
    const told = stepError(from, error);
    request.onEvent({ kind: 'failed', step, error: told });
    throw told;
  }
  request.onEvent({ kind: 'done', step, imageId: state.imageId, isCached: true });
  const triggers = state.config.OnBuild ?? [];
  state = { ...state, config: { ...state.config, OnBuild: null } };
  for (const trigger of triggers)
    state = await runStep(job, state, triggerOf({ ...from, text: `ONBUILD ${trigger}` }, trigger), { ...place, isTrigger: true });
  return state;
}

async function baseState(job: Job, stage: Stage, step: number): Promise<StageState> {
  const { request, globals, dockerfile } = job;
  const options = { escape: stage.from.escape, lookup: (name: string) => globals.get(name) };
  const base = expand(stage.base, options);
  if (base === '') throw invalidArgument(`base name (${stage.base}) should not be blank`);
  const platform = expand(valueOf(stage.from, 'platform') ?? '', options) || request.platform;
  const fresh = { author: '', platform, args: new Map<string, string | undefined>(), isCommandSet: false, lastStep: undefined };
  if (base === 'scratch') return { ...fresh, imageId: '', config: withPath({}) };
  const named = job.named(base);
  if (named?.kind === 'files') return { ...fresh, imageId: await filesImage(job, await named.open()), config: withPath({}) };
  const before = named === undefined ? findStage(dockerfile.stages, base, stage.index) : undefined;
  if (before !== undefined && !/^\d+$/.test(base)) {
    const { imageId, config, author, platform: its } = await job.stage(before.index);
    return { ...fresh, imageId, config: withPath(config), author, platform: its };
  }
  const reference = named === undefined ? base : await named.reference();
  const image = await baseImage(job, reference, {
    platform,
    onProgress: (progress) => request.onEvent({ kind: 'progress', step, progress }),
  });
  return { ...fresh, imageId: image.id, config: withPath(image.config.config ?? {}), author: image.config.author ?? '' };
}

function withPath(config: ContainerConfig): ContainerConfig {
  return valueIn(config, 'PATH') === undefined ? { ...config, Env: [defaultPath, ...(config.Env ?? [])] } : config;
}
