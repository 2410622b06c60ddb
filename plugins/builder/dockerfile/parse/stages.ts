import { shellWords } from '@gantry/sdk/builder';
import { parseError } from './complaint.ts';
import { type Instruction, readInstruction, valueOf, wordsOf } from './instruction.ts';
import { readLines } from './lines.ts';
import { mountsOf } from './mounts.ts';

/** From one FROM to the next. */
export interface Stage {
  readonly index: number;
  /** In small letters; '' without a name. */
  readonly name: string;
  readonly from: Instruction;
  /** As written: an image, a stage, with variables. */
  readonly base: string;
  readonly steps: readonly Instruction[];
}
export interface Dockerfile {
  readonly file: string;
  readonly syntax: string;
  /** Before the first FROM, which alone they are for. */
  readonly arguments: readonly Instruction[];
  readonly stages: readonly Stage[];
}

/** Reads a whole Dockerfile; the first thing that is wrong with it is told with its line. */
export function readDockerfile(bytes: Buffer, file: string): Dockerfile {
  const { lines, escape, syntax } = readLines(bytes, file);
  const instructions = lines.map((line) => readInstruction(line, escape));
  const begin = instructions.findIndex(({ name }) => name === 'FROM');
  const before = begin < 0 ? instructions : instructions.slice(0, begin);
  for (const each of before)
    if (each.name !== 'ARG')
      throw parseError(each, 'no build stage in current context: the first instruction is FROM, only ARG may stand before it');
  if (begin < 0) throw parseError(instructions[0] ?? { file, line: 1, text: '' }, 'no FROM in the file');
  const stages: Stage[] = [];
  for (const each of instructions.slice(begin)) {
    const last = stages.at(-1);
    if (each.name === 'FROM' || last === undefined) stages.push(stageOf(each, stages));
    else stages[last.index] = { ...last, steps: [...last.steps, each] };
  }
  for (const stage of stages) for (const each of stage.steps) checkReferences(stage, each, stages);
  return { file, syntax, arguments: before, stages };
}

/** The stage that a word names, by name or number; only those before another one can be used by it. */
export function findStage(stages: readonly Stage[], word: string, before = Infinity): Stage | undefined {
  const byName = stages.findLast(({ name, index }) => name !== '' && name === word.toLowerCase() && index < before);
  return byName ?? (/^\d+$/.test(word) ? stages.find(({ index }) => index === Number(word) && index < before) : undefined);
}

/** What a step takes files from, besides the context: stages and images. */
export function sourcesOf(step: Instruction): readonly string[] {
  const from = step.name === 'COPY' ? valueOf(step, 'from') : undefined;
  const mounts = step.name === 'RUN' ? mountsOf(step).flatMap((mount) => mount.from ?? []) : [];
  return [...(from === undefined ? [] : [from]), ...mounts];
}

function stageOf(from: Instruction, before: readonly Stage[]): Stage {
  const [base = '', , name = ''] = wordsOf(from);
  const lower = name.toLowerCase();
  if (name !== '' && !/^[a-z][a-z0-9-_.]*$/.test(lower))
    throw parseError(from, `invalid name for build stage: ${JSON.stringify(name)}, name can't start with a number or contain symbols`);
  if (before.some((stage) => stage.name !== '' && stage.name === lower))
    throw parseError(from, `duplicate name for build stage: ${JSON.stringify(name)}`);
  return { index: before.length, name: lower, from, base, steps: [] };
}

function checkReferences(stage: Stage, step: Instruction, stages: readonly Stage[]): void {
  for (const word of sourcesOf(step)) {
    if (findStage(stages, word, stage.index) !== undefined) continue;
    const later = findStage(stages, word);
    if (later !== undefined && later.index === stage.index)
      throw parseError(step, `invalid from flag value ${word}: circular dependency, it refers to the current build stage`);
    if (later !== undefined) throw parseError(step, `invalid from flag value ${word}: the stage begins later, on line ${later.from.line}`);
    if (/^\d+$/.test(word))
      throw parseError(step, `invalid from flag value ${word}: invalid stage index, there are ${stages.length} stages`);
  }
}

/** "A=1" → A and 1; without a value it is undefined. */
export function argumentsOf({ rest, escape }: Instruction): readonly (readonly [name: string, value: string | undefined])[] {
  return shellWords(rest, escape).map((word) => {
    const equals = word.indexOf('=');
    return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
  });
}
