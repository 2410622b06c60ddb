import { invalidArgument } from '@gantry/sdk/errors';
import { catalogue, loadVerb } from '../catalogue.ts';
import { usageReason } from '../command.ts';
import { toCommand, verb } from '../verb.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export const completion = verb({
  arguments: '<bash|zsh|fish>',
  notes: `  bash: source <(gantry completion bash)
  zsh:  source <(gantry completion zsh)
  fish: gantry completion fish | source`,
  async action(context, [shell = '']) {
    const known = shells.find((candidate) => candidate === shell);
    if (known === undefined)
      throw invalidArgument(`unknown shell: ${shell.slice(0, 40)}`, { hint: shells.join(', '), reason: usageReason });
    const commands = await describeAll();
    context.print(
      known === 'fish' ? fish(commands) : known === 'zsh' ? `autoload -Uz bashcompinit && bashcompinit\n${bash(commands)}` : bash(commands),
    );
  },
});

interface Described {
  /** "container ls" */
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly string[];
  /** What its arguments name. */
  readonly completes: 'containers' | 'images' | 'volumes' | 'networks' | 'plugins' | 'files';
}

async function describeAll(): Promise<readonly Described[]> {
  const described = catalogue.flatMap(({ names, summary }) => names.map(async (name) => await describe(name, summary)));
  return await Promise.all(described);
}

async function describe(name: string, summary: string): Promise<Described> {
  const declared = await loadVerb(name);
  const flags = toCommand(declared, name).options.flatMap(({ long, hidden }) =>
    long === undefined || long === null || hidden ? [] : [long],
  );
  return { name, summary, flags, completes: completes(declared.arguments) };
}

function completes(words: string): Described['completes'] {
  for (const noun of ['container', 'image', 'volume', 'network', 'plugin'] as const) if (words.includes(`<${noun}`)) return `${noun}s`;
  return 'files';
}

/** Names are asked of the engine only when one runs: completing must not start one. */
const listing: Readonly<Record<Described['completes'], string>> = {
  containers: 'ps -a --format json | sed -n \'s/.*"Names":"\\([^",]*\\).*/\\1/p\'',
  images: 'images --format json | sed -n \'s/.*"Repository":"\\([^"]*\\)","Tag":"\\([^"]*\\)".*/\\1:\\2/p\'',
  volumes: 'volume ls -q',
  networks: 'network ls --format json | sed -n \'s/.*"Name":"\\([^"]*\\)".*/\\1/p\'',
  plugins: 'plugin ls -q',
  files: '',
};

function bash(commands: readonly Described[]): string {
  const firsts = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))].toSorted().join(' ');
  const groups = Map.groupBy(
    commands.filter(({ name }) => name.includes(' ')),
    ({ name }) => name.split(' ')[0] ?? '',
  );
  const seconds = [...groups].map(
    ([group, members]) => `    '${group}') words='${members.map(({ name }) => name.split(' ')[1]).join(' ')}' ;;`,
  );
  const flags = commands.map(({ name, flags: its, completes: noun }) => `    '${name}') flags='${its.join(' ')}'; noun='${noun}' ;;`);
  const nouns = Object.entries(listing)
    .filter(([, command]) => command !== '')
    .map(([noun, command]) => `    ${noun}) gantry -H "$host" ${command} ;;`);
  return `_gantry_names() {
  local host="\${GANTRY_HOST:-\${DOCKER_HOST:-unix:///run/gantry/gantry.sock}}"
  case "$1" in
${nouns.join('\n')}
  esac 2>/dev/null
}
_gantry() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" words='' flags='' noun=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W '${firsts}' -- "$current")); return; fi
  if [ "$COMP_CWORD" -eq 2 ]; then
    case "$command" in
${seconds.join('\n')}
    esac
    if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); return; fi
  fi
  case "$command" in ${[...groups.keys()].join('|')}) command="$command \${COMP_WORDS[2]}" ;; esac
  case "$command" in
${flags.join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) if [ -n "$noun" ] && [ "$noun" != files ]; then COMPREPLY=($(compgen -W "$(_gantry_names "$noun")" -- "$current")); else COMPREPLY=($(compgen -f -- "$current")); fi ;;
  esac
}
complete -F _gantry gantry`;
}

function fish(commands: readonly Described[]): string {
  const lines = commands.flatMap(({ name, summary, flags }) => {
    const [first = '', second] = name.split(' ');
    const place =
      second === undefined
        ? '__fish_use_subcommand'
        : `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${second}`;
    const text = summary.replaceAll("'", String.raw`\'`);
    const after = second === undefined ? first : `${first}; and __fish_seen_subcommand_from ${second}`;
    return [
      `complete -c gantry -n '${place}' -a '${second ?? first}' -d '${text}'`,
      ...flags.map((flag) => `complete -c gantry -n '__fish_seen_subcommand_from ${after}' -l '${flag.slice(2)}'`),
    ];
  });
  const groups = [...new Set(commands.flatMap(({ name }) => (name.includes(' ') ? [name.split(' ')[0]] : [])))];
  return [...lines, ...groups.map((group) => `complete -c gantry -n '__fish_use_subcommand' -a '${group}'`)].join('\n');
}
