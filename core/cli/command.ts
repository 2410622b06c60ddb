import { Command, CommanderError, type Option } from 'commander';
import { GantryError, invalidArgument } from '@gantry/sdk/errors';

/** Thrown for flags that cannot be understood: exit code 125. A wrong number of arguments is 1, as it is with docker. */
export const usageReason = 'USAGE';
/** Thrown after help or a version was printed: exit code 0. */
export const shownReason = 'SHOWN';

/** Commander with Docker's manners: `--flag=false`, one line for an error, and no exit of its own. */
export class DockerCommand extends Command {
  constructor(name: string) {
    super(name);
    this.exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .showHelpAfterError(false);
    this.configureHelp({
      optionDescription: describeOption,
      helpWidth: Math.max(80, Math.min(process.stdout.columns ?? 100, 120)),
    });
  }

  override createCommand(name: string): DockerCommand {
    return new DockerCommand(name);
  }

  /** Commander has no value for boolean flags: `--flag=true` becomes `--flag`, `--flag=false` goes after what was read. */
  override parseOptions(given: readonly string[]): ReturnType<Command['parseOptions']> {
    const { words, off } = plainFlags(this, given);
    const parsed = super.parseOptions(words);
    for (const option of off) this.setOptionValue(option.attributeName(), option.negate);
    return parsed;
  }

  /** Everything that --help shows. */
  helpText(): string {
    let text = '';
    this.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
    return text;
  }

  /** Parses what follows the command's name. Failures are `invalid_argument` with the reason USAGE, help shown is the reason SHOWN. */
  read(words: readonly string[]): void {
    try {
      this.parse(words, { from: 'user' });
    } catch (error) {
      throw translate(error, this);
    }
  }
}

/** Alphabetical, as help lists them. */
export function byName(a: Option, b: Option): number {
  // localeCompare would load the collation tables: 20 ms.
  return a.attributeName() < b.attributeName() ? -1 : 1;
}

function describeOption({ description, defaultValue }: Option): string {
  return typeof defaultValue === 'string' ? `${description} (default: ${defaultValue})` : description;
}

function plainFlags(command: Command, given: readonly string[]): { words: string[]; off: Option[] } {
  const words: string[] = [];
  const off: Option[] = [];
  for (let index = 0; index < given.length; index += 1) {
    const word = given[index] ?? '';
    if (word === '--' || !word.startsWith('-') || word === '-') return { words: [...words, ...given.slice(index)], off };
    const [, name = '', setting] = /^(--[^=]+)(?:=(true|false|1|0|t|f|TRUE|FALSE))?$/.exec(word) ?? [];
    const option = command.options.find(({ long, short }) => long === name || short === name);
    if (setting !== undefined && option !== undefined && isBoolean(option)) {
      if (/^(true|1|t)$/i.test(setting)) words.push(name);
      else off.push(option);
      continue;
    }
    words.push(word);
    if (takesNextWord(command, word) && index + 1 < given.length) {
      index += 1;
      words.push(given[index] ?? '');
    }
  }
  return { words, off };
}

function isBoolean(option: Option): boolean {
  return !option.required && !option.optional;
}

/** `--name x` and `-it -p 80`: whether the value is the next word. */
function takesNextWord(command: Command, word: string): boolean {
  if (word.startsWith('--')) return command.options.some((option) => option.required && (option.long === word || option.short === word));
  for (let index = 1; index < word.length; index += 1) {
    const option = command.options.find(({ short }) => short === `-${word[index]}`);
    if (option?.required === true) return index === word.length - 1;
  }
  return false;
}

function translate(error: unknown, command: Command): unknown {
  if (GantryError.is(error)) return usage(error.message, command, error.hint);
  if (!(error instanceof CommanderError)) return error;
  if (error.exitCode === 0) return invalidArgument('', { reason: shownReason });
  return isArguments(error)
    ? invalidArgument(plainWords(error.message), { hint: helpHint(command) })
    : usage(plainWords(error.message), command);
}

function isArguments({ code }: CommanderError): boolean {
  return code === 'commander.missingArgument' || code === 'commander.excessArguments';
}

function usage(message: string, command: Command, hint?: string): GantryError {
  return invalidArgument(message, { reason: usageReason, hint: hint ?? helpHint(command) });
}

function helpHint(command: Command): string {
  return `'${command.name()} --help' shows what it takes`;
}

function plainWords(message: string): string {
  return message
    .replace(/^error: /, '')
    .replace(/^unknown option '([^']*)'/, 'unknown flag: $1')
    .replace(/^option '([^']*)' argument missing$/, 'flag needs a value: $1')
    .replace(/^missing required argument '([^']*)'$/, (_, name: string) => `missing argument: ${name.toUpperCase()}`)
    .replace(/^too many arguments(?: for '[^']*')?\. Expected (\d+) arguments? but got (\d+)\.$/, 'takes $1 arguments, got $2')
    .replaceAll('\n', ' ');
}
