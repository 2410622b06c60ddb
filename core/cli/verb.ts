import type { Option } from 'commander';
import { findEntry } from './catalogue.ts';
import { byName, DockerCommand } from './command.ts';
import type { Context } from './context.ts';

/** One command, as data: what it is called with, and what it does. */
export interface Verb {
  /** In commander's words: "<container>", "[image...]". */
  readonly arguments: string;
  readonly options?: readonly Option[];
  /** More help, below the options. */
  readonly notes?: string;
  /** Flags end at the first argument: the rest belongs to the container. */
  readonly passThrough?: boolean;
  run(context: Context, words: readonly string[]): Promise<number>;
}

interface Declaration<Flags> extends Omit<Verb, 'run'> {
  /** Resolves with the exit code; nothing means 0. `given` holds the arguments in order, variadic ones flattened. */
  action(context: Context, given: readonly string[], flags: Flags): Promise<number | void>;
}

/** Declares a command whose flags have the shape `Flags`: the caller keeps `options` and `Flags` the same. */
export function verb<Flags = Readonly<Record<string, never>>>(declaration: Declaration<Flags>): Verb {
  return {
    ...declaration,
    async run(context, words) {
      const command = toCommand(declaration, context.commandName);
      let given: readonly string[] = [];
      command.action(() => {
        given = command.processedArgs.flat().filter((word): word is string => typeof word === 'string');
      });
      command.read(words);
      return (await declaration.action(context, given, command.opts<Flags & Record<string, unknown>>())) ?? 0;
    },
  };
}

/** The command for help and completion. */
export function toCommand({ arguments: words, options = [], notes, passThrough = false }: Omit<Verb, 'run'>, name: string): DockerCommand {
  const command = new DockerCommand(`gantry ${name}`);
  command
    .description(findEntry(name)?.summary ?? '')
    .helpOption(options.some(({ short }) => short === '-h') ? '--help' : '-h, --help', 'Show this');
  if (words !== '') command.arguments(words);
  for (const option of options.toSorted(byName)) command.addOption(option);
  if (notes !== undefined) command.addHelpText('after', `\n${notes}`);
  return command.passThroughOptions(passThrough).allowExcessArguments(false);
}
