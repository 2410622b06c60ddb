import { buildStepAnnotation, jsonWords } from '@gantry/sdk/builder';
import type { BuildOptions, ContainerConfig, HostConfig } from '@gantry/sdk/engine';
import { invalidArgument } from '@gantry/sdk';
import { heredocsOf } from '../parse/heredocs.ts';
import { type Instruction, valueOf } from '../parse/instruction.ts';
import { mountsOf } from '../parse/mounts.ts';
import { shellOf, type StageState } from '../stage/state.ts';
import type { Plan, Planning } from './planned.ts';
import { runContainer } from './run-container.ts';
import { openMounts, shownMounts } from './run-mounts.ts';

/** Build arguments that every RUN sees, and that are no reason to run again. */
const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]);

/** RUN: an ordinary container, whose changes are the layer. */
export const planRun: Plan = (planning) => {
  const { job, state, instruction } = planning;
  const mounts = mountsOf(instruction);
  const args = argumentsOf(planning);
  const command = commandOf(state, instruction);
  const named = [...args].filter(([name]) => !proxies.includes(name) || state.args.has(name)).map(([name, value]) => `${name}=${value}`);
  const prefix = named.length === 0 ? [] : [`|${named.length}`, ...named.toSorted()];
  const hostConfig = hostConfigOf(job.request, instruction);
  return {
    config: state.config,
    createdBy: [...prefix, ...command].join(' '),
    keys: [async () => JSON.stringify(['RUN', command, shownMounts(mounts), hostConfig.NetworkMode ?? '', hostConfig.Privileged === true])],
    make: async (step) => {
      await using opened = new AsyncDisposableStack();
      const found = await openMounts(planning, mounts, opened);
      const env = [...(state.config.Env ?? []), ...[...args].map(([name, value]) => `${name}=${value}`), ...found.env];
      const config = containerConfig(state, { command, env });
      const container = await runContainer(job, step, { config, hostConfig: { ...hostConfig, Mounts: found.mounts } }, command);
      const close = opened.move();
      return {
        layer: { container: container.id, mountPoints: found.mounts.flatMap(({ Target }) => Target ?? []) },
        done: async (outcome) => {
          await container.done(outcome);
          await close.disposeAsync();
        },
      };
    },
  };
};

/** Declared ones that the image does not set itself, and the proxies that whoever builds gave. */
function argumentsOf({ job, state }: Planning): ReadonlyMap<string, string> {
  const given = proxies.flatMap((name) => {
    const value = job.request.buildArgs[name];
    if (value !== undefined) job.consumed.add(name);
    return value === undefined || value === null ? [] : [[name, value] as const];
  });
  const env = new Set((state.config.Env ?? []).map((entry) => entry.slice(0, entry.indexOf('='))));
  const declared = [...state.args].flatMap(([name, value]) => (value === undefined || env.has(name) ? [] : [[name, value] as const]));
  return new Map([...given, ...declared]);
}

/** A heredoc alone is a script; behind a command it is that command's input, as the shell has it. */
function commandOf(state: StageState, { rest, heredocs, escape }: Instruction): readonly string[] {
  const words = jsonWords(rest);
  if (words !== undefined) {
    if (words.length === 0) throw invalidArgument('RUN needs a command');
    return words;
  }
  const shell = shellOf(state);
  const [only] = heredocs;
  if (only === undefined) return [...shell, rest];
  if (heredocs.length === 1 && heredocsOf(rest, escape).length === 1 && /^\d*<<-?["']?[\w.-]+["']?$/.test(rest))
    return scriptOf(shell, only.content);
  return [...shell, `${rest}\n${heredocs.map(({ content, name }) => `${content}${name}`).join('\n')}`];
}

/** A script that names its interpreter is run by it: it is written where the interpreter can read it. */
function scriptOf(shell: readonly string[], content: string): readonly string[] {
  const [, interpreter] = /^#!\s*([^\n]+)/.exec(content) ?? [];
  if (interpreter === undefined) return [...shell, content];
  const words = interpreter.trim().split(/\s+/);
  // The interpreter reads its script from a descriptor: nothing of it stays in the image.
  return ['/bin/sh', '-c', `exec ${words.map(quoted).join(' ')} /dev/fd/3 3<<'GANTRY_SCRIPT_END'\n${content}GANTRY_SCRIPT_END\n`];
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function containerConfig(
  { config, imageId }: StageState,
  { command, env }: { readonly command: readonly string[]; readonly env: readonly string[] },
): ContainerConfig {
  const { User, WorkingDir } = config;
  return {
    Image: imageId,
    Cmd: command,
    Entrypoint: [''],
    Env: env,
    Healthcheck: { Test: ['NONE'] },
    AttachStdout: true,
    AttachStderr: true,
    ...(User === undefined ? {} : { User }),
    ...(WorkingDir === undefined ? {} : { WorkingDir }),
  };
}

function hostConfigOf({ hostConfig: given, allow = [] }: Pick<BuildOptions, 'hostConfig' | 'allow'>, instruction: Instruction): HostConfig {
  const network = valueOf(instruction, 'network') ?? 'default';
  const security = valueOf(instruction, 'security') ?? 'sandbox';
  if (!['default', 'none', 'host'].includes(network))
    throw invalidArgument(`unsupported network mode ${JSON.stringify(network)}: default, none or host`);
  if (!['sandbox', 'insecure'].includes(security))
    throw invalidArgument(`security ${JSON.stringify(security)} is not valid: sandbox or insecure`);
  const wanted = [
    ...(network === 'host' && given.NetworkMode !== 'host' ? ['network.host'] : []),
    ...(security === 'insecure' ? ['security.insecure'] : []),
  ];
  const refused = wanted.find((entitlement) => !allow.includes(entitlement));
  if (refused !== undefined)
    throw invalidArgument(`${refused} is not allowed`, { hint: `whoever trusts this Dockerfile allows it: --allow ${refused}` });
  return {
    ...given,
    LogConfig: { Type: 'none' },
    Annotations: { [buildStepAnnotation]: String(instruction.line) },
    ...(network === 'default' ? {} : { NetworkMode: network }),
    ...(security === 'insecure' ? { Privileged: true } : {}),
  };
}
