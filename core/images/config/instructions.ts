import { posix } from 'node:path';
import { invalidArgument } from '@gantry/sdk';
import type { ContainerConfig, Healthcheck } from '@gantry/sdk/engine';
import { healthcheckOf } from './healthcheck.ts';
import { jsonWords, pairs, shellWords, unquoted } from './words.ts';

export const instructionNames = [
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
] as const;
type InstructionName = (typeof instructionNames)[number];

/** What one instruction makes of a config. */
export function applyInstruction(name: InstructionName, config: ContainerConfig, rest: string): ContainerConfig {
  return { ...config, ...instructions[name](rest, config) };
}

type Instruction = (rest: string, config: ContainerConfig) => Partial<ContainerConfig>;

const instructions: Readonly<Record<InstructionName, Instruction>> = {
  CMD: (rest, config) => ({ Cmd: commandOf(rest, config) }),
  ENTRYPOINT: (rest, config) => ({ Entrypoint: commandOf(rest, config) }),
  ENV: (rest, config) => ({
    Env: pairs('ENV', rest, envOf(config)).reduce(
      (env, [key, value]) => [...env.filter((entry) => !entry.startsWith(`${key}=`)), `${key}=${value}`],
      envOf(config),
    ),
  }),
  EXPOSE: (rest, config) => {
    const ports = shellWords(rest).flatMap((word) => portsOf(unquoted(word, envOf(config))));
    return { ExposedPorts: { ...config.ExposedPorts, ...setOf(ports) } };
  },
  HEALTHCHECK: (rest): { readonly Healthcheck: Healthcheck } => ({ Healthcheck: healthcheckOf(rest) }),
  LABEL: (rest, config) => ({ Labels: { ...config.Labels, ...Object.fromEntries(pairs('LABEL', rest, envOf(config))) } }),
  ONBUILD: (rest, config) => {
    const trigger = (rest.split(/\s/, 1)[0] ?? '').toUpperCase();
    if (trigger === 'ONBUILD') throw invalidArgument("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === 'FROM' || trigger === 'MAINTAINER') throw invalidArgument(`${trigger} isn't allowed as an ONBUILD trigger`);
    return { OnBuild: [...(config.OnBuild ?? []), rest] };
  },
  STOPSIGNAL: (rest, config) => ({ StopSignal: single('STOPSIGNAL', rest, config) }),
  USER: (rest, config) => ({ User: single('USER', rest, config) }),
  VOLUME: (rest, config) => {
    const paths = (jsonWords(rest) ?? shellWords(rest).map((word) => unquoted(word, envOf(config)))).map((path) => path.trim());
    if (paths.includes('')) throw invalidArgument('VOLUME specified can not be an empty string');
    return { Volumes: { ...config.Volumes, ...setOf(paths) } };
  },
  WORKDIR: (rest, config) => ({
    WorkingDir: posix.resolve('/', config.WorkingDir ?? '', unquoted(rest, envOf(config))),
  }),
};

function commandOf(rest: string, { Shell: shell }: ContainerConfig): readonly string[] {
  return jsonWords(rest) ?? [...(shell ?? ['/bin/sh', '-c']), rest];
}

function single(name: string, rest: string, config: ContainerConfig): string {
  const words = shellWords(rest);
  if (words.length !== 1) throw invalidArgument(`${name} requires exactly one argument`);
  return unquoted(rest, envOf(config));
}

/** "80", "8080/udp", "7000-7010/tcp"; a host part, as `docker run -p` has it, means nothing in an image. */
function portsOf(word: string): readonly string[] {
  const [, from = '', to = from, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word) ?? [];
  const [low, high] = [Number(from), Number(to)];
  if (from === '' || low < 1 || high > 65_535 || high < low) throw invalidArgument(`invalid containerPort: ${word.slice(0, 80)}`);
  return Array.from({ length: high - low + 1 }, (_, at) => `${low + at}/${protocol.toLowerCase()}`);
}

function setOf(keys: readonly string[]): Readonly<Record<string, Record<string, never>>> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

function envOf({ Env: env }: ContainerConfig): readonly string[] {
  return env ?? [];
}
