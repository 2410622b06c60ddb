import { type Ctx, firstCause, invalidArgument } from '@gantry/sdk';
import { expand } from '@gantry/sdk/builder';
import { openContext, type OpenContext } from './context.ts';
import type { DockerfileRequest, Job } from './job.ts';
import { NamedContexts } from './named.ts';
import { withText } from './parse/complaint.ts';
import { type Instruction, readInstruction } from './parse/instruction.ts';
import { argumentsOf, type Dockerfile, findStage, readDockerfile, sourcesOf, type Stage } from './parse/stages.ts';
import { platformArguments } from './platforms.ts';
import { CacheImages } from './stage/cache-images.ts';
import { runStage, type StageNumbers } from './stage/run-stage.ts';
import type { StageState } from './stage/state.ts';
import { argumentValue } from './steps/metadata.ts';

/** Builds the last stage, or the one that is asked for, and of the others those that it needs: at the same time where none waits for another. */
export async function build(request: DockerfileRequest, ctx: Ctx): Promise<{ readonly imageId: string }> {
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  await using context = await openContext(request, signal);
  try {
    return await buildFrom(context, { request, ctx, stop, signal });
  } catch (error) {
    throw withText(firstCause(error), context.dockerfile);
  }
}

interface Building {
  readonly request: DockerfileRequest;
  readonly ctx: Ctx;
  /** Aborted by the first stage that fails. */
  readonly stop: AbortController;
  readonly signal: AbortSignal;
}

async function buildFrom(context: OpenContext, { request, ctx, stop, signal }: Building): Promise<{ readonly imageId: string }> {
  await using contexts = new NamedContexts(request, signal);
  await using cacheImages = new CacheImages(request, signal);
  const dockerfile = readDockerfile(context.dockerfile, context.name);
  const consumed = new Set<string>();
  const globals = globalArguments(request, dockerfile, consumed);
  const last = targetOf(dockerfile, request.target);
  const needed = neededStages(dockerfile, last, { globals, contexts });
  const extra = labelStep(request, dockerfile);
  const stages = new Map<number, Promise<StageState>>();
  const job: Job = {
    request,
    ctx,
    signal,
    dockerfile,
    context: () => context.tree(),
    excluded: context.excluded,
    named: (word) => contexts.find(word),
    cacheImages,
    created: createdAt(request.buildArgs['SOURCE_DATE_EPOCH']),
    globals,
    consumed,
    numbers: { next: 1 },
    stage: (index) => begin(index),
  };
  const numbers = numbered(dockerfile, needed, { last, extra });
  const begin = (index: number): Promise<StageState> => {
    const known = stages.get(index);
    const stage = dockerfile.stages[index];
    if (known !== undefined) return known;
    if (stage === undefined) throw invalidArgument(`there is no stage ${index}`);
    const running = runStage(job, stage, numbers.get(index) ?? { first: 0, total: 0, extra: [] });
    running.catch((error: unknown) => stop.abort(error));
    stages.set(index, running);
    return running;
  };
  tellArguments(request, dockerfile, { total: numbers.get(last.index)?.total ?? 0, job });
  const outcomes = await Promise.allSettled(needed.map(({ index }) => begin(index)));
  const failed =
    outcomes.find((outcome) => outcome.status === 'rejected' && outcome.reason === signal.reason) ??
    outcomes.find(({ status }) => status === 'rejected');
  ctx.signal.throwIfAborted();
  if (stop.signal.aborted) throw firstCause(stop.signal.reason);
  if (failed?.status === 'rejected') throw failed.reason;
  const { imageId } = await begin(last.index);
  if (imageId === '') throw invalidArgument('No image was generated. Is your Dockerfile empty?');
  warnOfUnused(request, consumed);
  return { imageId };
}

/** ARGs before the first FROM, over what is known of platforms. */
function globalArguments(request: DockerfileRequest, { arguments: given }: Dockerfile, consumed: Set<string>): ReadonlyMap<string, string> {
  const globals = new Map(platformArguments(request.platform));
  for (const instruction of given)
    for (const [name, text] of argumentsOf(instruction)) {
      const otherwise =
        text === undefined ? undefined : expand(text, { escape: instruction.escape, lookup: (variable) => globals.get(variable) });
      const value = argumentValue({ request, globals, consumed }, name, otherwise);
      if (value !== undefined) globals.set(name, value);
    }
  return globals;
}

function targetOf({ stages, file }: Dockerfile, target: string): Stage {
  const found = target === '' ? stages.at(-1) : findStage(stages, target);
  if (found === undefined)
    throw invalidArgument(`failed to reach build target ${target} in ${file}`, {
      hint: `its stages: ${stages.map(({ name, index }) => name || index).join(', ')}`,
    });
  return found;
}

/** In the order of the file. */
function neededStages(
  { stages }: Dockerfile,
  last: Stage,
  { globals, contexts }: { readonly globals: ReadonlyMap<string, string>; readonly contexts: NamedContexts },
): readonly Stage[] {
  const needed = new Set([last.index]);
  for (const index of needed) {
    const stage = stages[index];
    if (stage === undefined) continue;
    const base = expand(stage.base, { escape: stage.from.escape, lookup: (name) => globals.get(name) });
    for (const word of [...(/^\d+$/.test(base) ? [] : [base]), ...stage.steps.flatMap(sourcesOf)]) {
      const found = contexts.find(word) === undefined ? findStage(stages, word, index) : undefined;
      if (found !== undefined) needed.add(found.index);
    }
  }
  return stages.filter(({ index }) => needed.has(index));
}

function numbered(
  { arguments: before }: Dockerfile,
  needed: readonly Stage[],
  { last, extra }: { readonly last: Stage; readonly extra: readonly Instruction[] },
): ReadonlyMap<number, StageNumbers> {
  const total = before.length + extra.length + needed.reduce((sum, { steps }) => sum + 1 + steps.length, 0);
  let first = before.length + 1;
  const numbers = new Map<number, StageNumbers>();
  for (const stage of needed) {
    const own = stage.index === last.index ? extra : [];
    numbers.set(stage.index, { first, total, extra: own });
    first += 1 + stage.steps.length + own.length;
  }
  return numbers;
}

/** Labels that whoever builds gives are a last step. */
function labelStep({ labels }: DockerfileRequest, { file }: Dockerfile): readonly Instruction[] {
  const words = Object.entries(labels)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, value]) => `${quoted(key)}=${quoted(value)}`);
  const rest = words.join(' ');
  return words.length === 0
    ? []
    : [readInstruction({ file, line: 0, lastLine: 0, name: 'LABEL', rest, text: `LABEL ${rest}`, heredocs: [] }, '\\')];
}

function quoted(text: string): string {
  return /^[\w./:-]+$/.test(text) ? text : `"${text.replaceAll(/["\\$]/g, '\\$&')}"`;
}

function tellArguments(
  { onEvent }: DockerfileRequest,
  { arguments: given }: Dockerfile,
  { total, job }: { readonly total: number; readonly job: Job },
): void {
  for (const [at, { text }] of given.entries())
    onEvent({ kind: 'step', step: job.numbers.next++, number: at + 1, total, stage: -1, stageName: '', text, isTrigger: false, after: [] });
  if (given.length > 0) onEvent({ kind: 'stage', stage: -1, imageId: '' });
}

const silent = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY', 'SOURCE_DATE_EPOCH'].flatMap((name) => [name, name.toLowerCase()]),
);

function warnOfUnused({ buildArgs, onEvent }: DockerfileRequest, consumed: ReadonlySet<string>): void {
  const unused = Object.keys(buildArgs)
    .filter((name) => !consumed.has(name) && !silent.has(name) && !name.startsWith('BUILDKIT_'))
    .toSorted();
  if (unused.length > 0) onEvent({ kind: 'warning', text: `[Warning] One or more build-args [${unused.join(' ')}] were not consumed` });
}

function createdAt(epoch: string | null | undefined): string | undefined {
  if (epoch === undefined || epoch === null || epoch === '') return undefined;
  if (!/^\d{1,12}$/.test(epoch))
    throw invalidArgument(`SOURCE_DATE_EPOCH ${JSON.stringify(epoch.slice(0, 40))} is no number of seconds since 1970`);
  return new Date(Number(epoch) * 1000).toISOString();
}
