import { applyInstruction, expand, type InstructionName, jsonWords, pairs, shellWords } from '@gantry/sdk/builder';
import type { ContainerConfig } from '@gantry/sdk/engine';
import { argumentsOf } from '../parse/stages.ts';
import { nothingDone, variables } from '../stage/state.ts';
import type { Job } from '../job.ts';
import { quotedHealthcheck, quotedList } from './go-text.ts';
import type { Plan, Planned, Planning } from './planned.ts';

/** Steps that change the config alone. What each is called in the history is what Docker calls it. */
export const metadataPlans = {
  CMD: (planning) => {
    const { Cmd, ...config } = applied('CMD', planning);
    return { config: { ...config, Cmd: Cmd ?? null }, createdBy: said(planning, ` CMD ${quotedList(Cmd)}`), isCommandSet: true };
  },
  ENTRYPOINT: (planning) => {
    const config = applied('ENTRYPOINT', planning);
    const { isCommandSet } = planning.state;
    return {
      config: isCommandSet ? config : { ...config, Cmd: null },
      createdBy: said(planning, ` ENTRYPOINT ${quotedList(config.Entrypoint)}`),
    };
  },
  ENV: (planning) => paired('ENV', planning),
  LABEL: (planning) => paired('LABEL', planning),
  EXPOSE: (planning) => {
    const { rest, escape } = planning.instruction;
    const ports = shellWords(rest, escape).flatMap((word) => expand(word, options(planning)).split(/\s+/));
    const written = ports.filter((word) => word !== '').toSorted();
    return { config: applied('EXPOSE', planning), createdBy: said(planning, ` EXPOSE ${written.join(' ')}`) };
  },
  HEALTHCHECK: (planning) => {
    const config = applied('HEALTHCHECK', planning);
    return { config, createdBy: said(planning, ` HEALTHCHECK ${quotedHealthcheck(config.Healthcheck ?? {})}`) };
  },
  MAINTAINER: (planning) => {
    const { rest } = planning.instruction;
    return { config: planning.state.config, author: rest, createdBy: said(planning, ` MAINTAINER ${rest}`) };
  },
  ONBUILD: (planning) => {
    const { state, instruction } = planning;
    const trigger = [instruction.rest, ...instruction.heredocs.map(({ content, name }) => `${content}${name}`)].join('\n');
    return {
      config: { ...state.config, OnBuild: [...(state.config.OnBuild ?? []), trigger] },
      createdBy: said(planning, ` ONBUILD ${instruction.rest}`),
    };
  },
  SHELL: (planning) => {
    const words = jsonWords(planning.instruction.rest) ?? [];
    const config = { ...planning.state.config, Shell: words };
    return { config, createdBy: nothingDone({ config }, ` SHELL [${words.join(' ')}]`) };
  },
  STOPSIGNAL: (planning) => {
    const config = applied('STOPSIGNAL', planning);
    return { config, createdBy: said(planning, ` STOPSIGNAL ${config.StopSignal ?? ''}`) };
  },
  USER: (planning) => {
    const config = applied('USER', planning);
    return { config, createdBy: said(planning, ` USER ${config.User ?? ''}`) };
  },
  VOLUME: (planning) => {
    const { Volumes } = applyInstruction('VOLUME', {}, planning.instruction.rest, options(planning));
    return { config: applied('VOLUME', planning), createdBy: said(planning, ` VOLUME [${Object.keys(Volumes ?? {}).join(' ')}]`) };
  },
  ARG: (planning) => {
    const { job, state, instruction } = planning;
    const args = new Map(state.args);
    for (const [name, given] of argumentsOf(instruction))
      args.set(name, argumentValue(job, name, given === undefined ? undefined : expanded(planning, given)));
    return { config: state.config, args, createdBy: said(planning, ` ARG ${instruction.rest}`) };
  },
} as const satisfies Readonly<Record<string, Plan>>;

/** What whoever builds says counts more than what the Dockerfile says. */
export function argumentValue(
  job: Pick<Job, 'request' | 'globals' | 'consumed'>,
  name: string,
  otherwise: string | undefined,
): string | undefined {
  const { buildArgs } = job.request;
  if (!Object.hasOwn(buildArgs, name)) return otherwise ?? job.globals.get(name);
  job.consumed.add(name);
  return buildArgs[name] ?? otherwise ?? job.globals.get(name);
}

function expanded(planning: Planning, text: string): string {
  const [[, value] = ['', '']] = pairs('ARG', `x=${text}`, options(planning));
  return value;
}

function applied(name: InstructionName, planning: Planning): ContainerConfig {
  const { state, instruction } = planning;
  if (instruction.rest === '') return { ...state.config, [name === 'CMD' ? 'Cmd' : 'Entrypoint']: null };
  return applyInstruction(name, state.config, instruction.rest, options(planning));
}

function paired(name: 'ENV' | 'LABEL', planning: Planning): Planned {
  const words = pairs(name, planning.instruction.rest, options(planning)).map(([key, value]) => `${key}=${value}`);
  return { config: applied(name, planning), createdBy: said(planning, ` ${name} ${words.join(' ')}`) };
}

function options({ state, instruction }: Planning) {
  return variables(state, instruction.escape);
}

function said({ state }: Planning, text: string): string {
  return nothingDone(state, text);
}
