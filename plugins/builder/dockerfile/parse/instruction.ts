import { jsonWords, shellWords } from '@gantry/sdk/builder';
import { parseError, type Place } from './complaint.ts';
import { type Flags, suggestion, takeFlags } from './flags.ts';
import type { Heredoc } from './heredocs.ts';
import type { Line } from './lines.ts';

/** An instruction whose form is right; what it says may still not be. */
export interface Instruction extends Place {
  readonly name: InstructionWord;
  readonly flags: Flags;
  /** What stands behind name and flags. */
  readonly rest: string;
  readonly heredocs: readonly Heredoc[];
  readonly escape: string;
}

const instructionWords = [
  'ADD',
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'MAINTAINER',
  'ONBUILD',
  'RUN',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
] as const;
export type InstructionWord = (typeof instructionWords)[number];

/** An empty one takes the command of the base away. */
const mayBeEmpty: readonly string[] = ['CMD', 'ENTRYPOINT'];

/** Checks the form, so that a bad line is told before anything is done. */
export function readInstruction({ heredocs, ...line }: Line, escape: string): Instruction {
  const place = { file: line.file, line: line.line, lastLine: line.lastLine, text: line.text };
  const name = instructionWords.find((word) => word === line.name);
  if (name === undefined)
    throw parseError(place, `unknown instruction: ${line.name.slice(0, 80)}${suggestion(line.name, instructionWords)}`);
  const { flags, rest } = takeFlags(name, line.rest, { place, escape });
  if (rest === '' && !mayBeEmpty.includes(name)) throw parseError(place, `${name} requires at least one argument`);
  const instruction = { ...place, name, flags, rest, heredocs, escape };
  checkForm(instruction);
  return instruction;
}

/** Words of a COPY or ADD: in JSON, or between spaces; quotes are still on the latter. */
export function wordsOf({ rest, escape }: Pick<Instruction, 'rest' | 'escape'>): readonly string[] {
  return jsonWords(rest) ?? shellWords(rest, escape);
}

/** Whether a flag without a value, or with "true", is set. */
export function isSet({ flags, ...place }: Instruction, name: string): boolean {
  const [value] = flags.get(name) ?? [];
  if (value === undefined || value === 'false') return false;
  if (value !== '' && value !== 'true') throw parseError(place, `expecting boolean value for flag ${name}, not: ${value}`);
  return true;
}

export function valueOf({ flags }: Instruction, name: string): string | undefined {
  return flags.get(name)?.[0];
}

function checkForm(instruction: Instruction): void {
  const { name, rest, escape } = instruction;
  const words = wordsOf(instruction);
  if (name === 'COPY' || name === 'ADD') {
    if (words.length < 2) throw parseError(instruction, `${name} requires at least two arguments, but only ${words.length} provided`);
    for (const flag of ['link', 'parents', 'keep-git-dir', 'unpack']) isSet(instruction, flag);
  }
  if (name === 'SHELL' && (jsonWords(rest) ?? []).length === 0)
    throw parseError(instruction, 'SHELL requires the arguments to be in JSON form');
  if (name === 'FROM' && !(words.length === 1 || (words.length === 3 && words[1]?.toUpperCase() === 'AS')))
    throw parseError(instruction, 'FROM requires either one or three arguments');
  if (name === 'ARG') for (const word of shellWords(rest, escape)) checkArgument(instruction, word);
  if ((name === 'USER' || name === 'STOPSIGNAL') && shellWords(rest, escape).length !== 1)
    throw parseError(instruction, `${name} requires exactly one argument`);
  if (name === 'ONBUILD') checkTrigger(instruction);
}

function checkArgument(place: Place, word: string): void {
  if (!/^[A-Za-z_][\w.-]*(?:=|$)/.test(word))
    throw parseError(place, `ARG names can not be blank or begin with ${JSON.stringify(word.slice(0, 1))}`);
}

function checkTrigger(instruction: Instruction): void {
  const trigger = triggerOf(instruction, instruction.rest);
  if (trigger.name === 'ONBUILD') throw parseError(instruction, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger.name === 'FROM' || trigger.name === 'MAINTAINER')
    throw parseError(instruction, `${trigger.name} isn't allowed as an ONBUILD trigger`);
}

/** The instruction behind ONBUILD, in a Dockerfile or in the config of a base image. */
export function triggerOf(
  { file, line, lastLine = line, text, escape, heredocs = [] }: Place & { readonly escape: string; readonly heredocs?: readonly Heredoc[] },
  trigger: string,
): Instruction {
  const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(trigger.trim()) ?? [];
  return readInstruction({ file, line, lastLine, text, name: word.toUpperCase(), rest, heredocs }, escape);
}
