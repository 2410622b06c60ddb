import { posix } from 'node:path';
import type { ContainerConfig, Healthcheck } from '../engine/index.ts';
import { invalidArgument } from '../errors.ts';
import { expand, type ExpandOptions } from './expand.ts';
import { healthcheckOf } from './healthcheck.ts';
import { jsonWords, pairs, shellWords } from './words.ts';

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
export type InstructionName = (typeof instructionNames)[number];

/** What one instruction makes of a config; variables are the config's own unless `options` says others. */
export function applyInstruction(
  name: InstructionName,
  config: ContainerConfig,
  rest: string,
  options: ExpandOptions = { lookup: (variable) => valueIn(config, variable) },
): ContainerConfig {
  return { ...config, ...instructions[name](rest, config, options) };
}

/** The value of an environment variable of a config. */
export function valueIn(config: ContainerConfig, name: string): string | undefined {
  return envOf(config)
    .find((entry) => entry.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}

type Instruction = (rest: string, config: ContainerConfig, options: ExpandOptions) => Partial<ContainerConfig>;

const instructions: Readonly<Record<InstructionName, Instruction>> = {
  CMD: (rest, config) => ({ Cmd: commandOf(rest, config) }),
  ENTRYPOINT: (rest, config) => ({ Entrypoint: commandOf(rest, config) }),
  ENV: (rest, config, options) => ({
    Env: pairs('ENV', rest, options).reduce((env, [key, value]) => withVariable(env, key, value), envOf(config)),
  }),
  EXPOSE: (rest, config, options) => {
    const words = shellWords(rest, options.escape).flatMap((word) => expand(word, options).split(/\s+/));
    const ports = words.filter((word) => word !== '').flatMap(portsOf);
    return { ExposedPorts: { ...config.ExposedPorts, ...setOf(ports) } };
  },
  HEALTHCHECK: (rest): { readonly Healthcheck: Healthcheck } => ({ Healthcheck: healthcheckOf(rest) }),
  LABEL: (rest, config, options) => ({ Labels: { ...config.Labels, ...Object.fromEntries(pairs('LABEL', rest, options)) } }),
  ONBUILD: (rest, config) => {
    const trigger = (rest.split(/\s/, 1)[0] ?? '').toUpperCase();
    if (trigger === 'ONBUILD') throw invalidArgument("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === 'FROM' || trigger === 'MAINTAINER') throw invalidArgument(`${trigger} isn't allowed as an ONBUILD trigger`);
    return { OnBuild: [...(config.OnBuild ?? []), rest] };
  },
  STOPSIGNAL: (rest, _config, options) => ({ StopSignal: single('STOPSIGNAL', rest, options) }),
  USER: (rest, _config, options) => ({ User: single('USER', rest, options) }),
  VOLUME: (rest, config, options) => {
    const paths = (jsonWords(rest) ?? shellWords(rest, options.escape)).map((word) => expand(word, options).trim());
    if (paths.includes('')) throw invalidArgument('VOLUME specified can not be an empty string');
    return { Volumes: { ...config.Volumes, ...setOf(paths) } };
  },
  WORKDIR: (rest, config, options) => ({
    WorkingDir: posix.resolve('/', config.WorkingDir ?? '', expand(rest, options)),
  }),
};

function commandOf(rest: string, { Shell: shell }: ContainerConfig): readonly string[] {
  return jsonWords(rest) ?? [...(shell ?? ['/bin/sh', '-c']), rest];
}

function single(name: string, rest: string, options: ExpandOptions): string {
  if (shellWords(rest, options.escape).length !== 1) throw invalidArgument(`${name} requires exactly one argument`);
  return expand(rest, options);
}

/** In its place when it is there: the order is what programs see. */
function withVariable(env: readonly string[], key: string, value: string): readonly string[] {
  const at = env.findIndex((entry) => entry.startsWith(`${key}=`));
  return at < 0 ? [...env, `${key}=${value}`] : env.with(at, `${key}=${value}`);
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
