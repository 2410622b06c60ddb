import type { Option } from 'commander';
import { invalidArgument } from '@gantry/sdk/errors';
import { byName, DockerCommand } from '../command.ts';
import type { DaemonOptions } from '../daemon-options.ts';
import { flag, list, text, value } from '../option.ts';
import { parseAssignment, toRecord } from '../parse/key-value.ts';
import { ownVersion } from '../own-version.ts';
import type { Directive } from './directive.ts';
import { directives } from './directives.ts';
import { readConfigFile } from './file.ts';
import { toDaemonOptions } from './options.ts';

export const defaultConfigFile = '/etc/gantry/daemon.json';

/** What gantryd is asked to do. */
export type DaemonCommand =
  | { readonly kind: 'show'; readonly text: string }
  | { readonly kind: 'validated'; readonly options: DaemonOptions }
  | { readonly kind: 'serve'; readonly options: DaemonOptions };

/** Reads gantryd's words and daemon.json. The same thing said in both is refused, as dockerd does. */
export function parseDaemon(words: readonly string[]): DaemonCommand {
  const command = declare();
  command.read(words);
  const given: Readonly<Record<string, unknown>> = command.opts();
  if (given['help'] === true) return { kind: 'show', text: command.helpText() };
  if (given['version'] === true) return { kind: 'show', text: `gantryd version ${ownVersion()}\n` };
  const isNamed = command.getOptionValueSource('configFile') === 'cli';
  const configFile = typeof given['configFile'] === 'string' ? given['configFile'] : defaultConfigFile;
  const file = readConfigFile(configFile, { isRequired: isNamed });
  const flags = flagSettings(command, given);
  refuseConflicts(configFile, flags, file);
  refuseUnsupported(file, configFile);
  refuseUnsupported(flags);
  const options = toDaemonOptions(new Map([...file, ...flags]), configFile);
  return { kind: given['validate'] === true ? 'validated' : 'serve', options };
}

function declare(): DockerCommand {
  const command = new DockerCommand('gantryd');
  command.description('The container engine: serves the Docker API to gantry, docker, compose and everything else that speaks it.');
  command.usage('[flags]').helpOption(false).allowExcessArguments(false);
  command.addOption(flag('-h, --help', 'Show this')).addOption(flag('-v, --version', 'Show the version'));
  command.addOption(value('--config-file <file>', 'Settings as JSON', text).default(defaultConfigFile));
  command.addOption(flag('--validate', 'Check flags and file, and end'));
  const own = directives.flatMap((directive) => (directive.flags === undefined ? [] : [toOption(directive, directive.flags)]));
  for (const option of own.toSorted(byName)) command.addOption(option);
  command.addHelpText('after', notes);
  return command.action(() => undefined);
}

const notes = `
daemon.json holds the same settings under dockerd's names ("data-root", "log-opts", …) and "plugins": settings by plugin name.
Other flags of dockerd (iptables, containerd, …) are accepted and have no effect: the log says so.
A tcp host is served only with --tlsverify, to clients whose certificate the authority signed.
SIGHUP reads the settings anew; SIGUSR1 writes what the engine is doing into <exec-root>/dumps.

  gantryd                                  serve unix:///run/gantry/gantry.sock
  gantryd -H unix:///run/docker.sock       where docker looks without being told
  gantryd --data-root /srv/gantry --log-driver local --log-opt max-size=10m
`;

function toOption(directive: Directive, flags: string): Option {
  const { kind, description, parse = text, ignored, refused } = directive;
  const option =
    kind === 'boolean'
      ? flag(flags, description)
      : kind === 'list' || kind === 'map' || kind === 'rows'
        ? list(flags, description, parse)
        : value(flags, description, parse);
  // Names of dockerd's that begin with "no-" are names, and take nothing back.
  option.negate = false;
  return ignored === undefined && refused === undefined ? option : option.hideHelp();
}

/** Only what was really said. */
function flagSettings(command: DockerCommand, given: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
  const settings = new Map<string, unknown>();
  for (const directive of directives) {
    const name =
      directive.flags === undefined ? undefined : command.options.find(({ flags }) => flags === directive.flags)?.attributeName();
    const setting = name === undefined ? undefined : given[name];
    const isSaid = Array.isArray(setting) ? setting.length > 0 : setting !== undefined;
    if (isSaid) settings.set(directive.key, directive.kind === 'map' && Array.isArray(setting) ? toMap(directive, setting) : setting);
  }
  return settings;
}

function toMap({ key }: Directive, pairs: readonly unknown[]): Readonly<Record<string, unknown>> {
  const map: Record<string, unknown> = {};
  for (const pair of pairs.map(String)) {
    const [name, setting] = parseAssignment(pair);
    map[name] =
      key === 'runtimes'
        ? { path: setting }
        : key === 'default-network-opts'
          ? { ...(map[name] as object | undefined), ...toRecord([parseAssignment(setting)]) }
          : setting;
  }
  return map;
}

/** What dockerd can do and Gantry does not is told instead of left out. */
function refuseUnsupported(settings: ReadonlyMap<string, unknown>, file?: string): void {
  for (const { key, refused } of directives) {
    if (refused === undefined || !isOn(settings.get(key))) continue;
    const [why, hint] = refused;
    throw invalidArgument(`${file === undefined ? '--' : `${file}: `}${key} is not supported: ${why}`, { hint });
  }
}

const isOn = (setting: unknown): boolean => setting !== undefined && setting !== '' && setting !== false && setting !== 0;

function refuseConflicts(path: string, flags: ReadonlyMap<string, unknown>, file: ReadonlyMap<string, unknown>): void {
  const both = [...flags.keys()].filter((key) => file.has(key));
  if (both.length === 0) return;
  const shown = both.map((key) => `${key}: (from flag: ${JSON.stringify(flags.get(key))}, from file: ${JSON.stringify(file.get(key))})`);
  throw invalidArgument(
    `the following directives are specified both as a flag and in the configuration file ${path}: ${shown.join(', ').slice(0, 800)}`,
    {
      hint: 'leave out one of them',
    },
  );
}
