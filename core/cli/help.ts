import { invalidArgument } from '@gantry/sdk/errors';
import { catalogue, findCommand, groups, loadVerb } from './catalogue.ts';
import { DockerCommand } from './command.ts';
import { defaultSocket } from './host.ts';
import { toCommand } from './verb.ts';

/** Help for everything, for a group ("volume") or for one command. */
export async function help(words: readonly string[]): Promise<number> {
  const found = findCommand(words);
  if (found !== undefined) process.stdout.write(toCommand(await loadVerb(found.name), found.name).helpText());
  else if (words[0] !== undefined && membersOf(words[0]).length > 0) process.stdout.write(groupHelp(words[0]));
  else if (words.length > 0) return await unknownCommand(words);
  else process.stdout.write(rootHelp());
  return 0;
}

/** A group alone shows its help; anything else is refused, with what comes near. */
export async function unknownCommand(words: readonly string[]): Promise<number> {
  const [first = '', second] = words;
  const members = membersOf(first);
  if (members.length > 0 && (second === undefined || ['--help', '-h', 'help'].includes(second))) return await help([first]);
  const typed = members.length > 0 ? words.slice(0, 2).join(' ') : first;
  throw invalidArgument(`unknown command: ${typed.slice(0, 80)}`, { hint: suggestion(typed) });
}

function rootHelp(): string {
  const root = new DockerCommand('gantry')
    .usage('[-H address] <command> [flags] [arguments]')
    .description('Gantry: a container engine whose every driver is a plugin. The commands are those of docker.')
    .option('-H, --host <address>', `Engine to talk to; else GANTRY_HOST, DOCKER_HOST, else unix://${defaultSocket}`)
    .option('-v, --version', 'Show the version')
    .helpOption('-h, --help', 'Show this, or the help of a command')
    .helpCommand(false);
  for (const group of groups) {
    root.commandsGroup(`${group}:`);
    for (const { names, summary, group: its } of catalogue) {
      if (its === group && isListed(names[0] ?? '')) addLine(root, names[0] ?? '', summary);
    }
  }
  return `${root.helpInformation()}
'gantry <command> --help' shows the flags of a command.
No engine needs to be started first: without a host, gantry starts one in the background.
`;
}

// `container inspect` and the like would only repeat what stands there already.
function isListed(name: string): boolean {
  return !/^(container|image) /.test(name) || name.endsWith(' prune');
}

function groupHelp(group: string): string {
  const root = new DockerCommand(`gantry ${group}`).usage('<command> [flags] [arguments]').helpCommand(false).helpOption(false);
  for (const { name, summary } of membersOf(group)) addLine(root, name, summary);
  return root.helpInformation();
}

function membersOf(group: string): readonly { readonly name: string; readonly summary: string }[] {
  return catalogue.flatMap(({ names, summary }) => {
    const name = names.find((candidate) => candidate.startsWith(`${group} `));
    return name === undefined ? [] : [{ name: name.slice(group.length + 1), summary }];
  });
}

/** Not by command(): a name of two words would become a name and an argument. */
function addLine(root: DockerCommand, name: string, summary: string): void {
  root.addCommand(root.createCommand(name).description(summary));
}

/** Commander knows which names are near. */
function suggestion(typed: string): string {
  const notOurs = elsewhere[typed.split(' ')[0] ?? ''];
  if (notOurs !== undefined) return notOurs;
  const root = new DockerCommand('gantry').helpCommand(false);
  for (const { names, summary } of catalogue) for (const name of names) addLine(root, name, summary);
  try {
    root.read([typed]);
  } catch (error) {
    const near = error instanceof Error ? /Did you mean (?:one of )?(.*)\?\)/.exec(error.message)?.[1] : undefined;
    if (near !== undefined) return `did you mean ${near}?`;
  }
  return "'gantry --help' lists all commands";
}

const swarm = 'swarm mode is out of scope: use Kubernetes';
const elsewhere: Readonly<Record<string, string>> = {
  swarm,
  service: swarm,
  stack: swarm,
  node: swarm,
  secret: swarm,
  config: swarm,
  compose: 'use docker compose: DOCKER_HOST=unix:///run/gantry/gantry.sock docker compose …',
  context: 'name the engine with -H or GANTRY_HOST',
};
