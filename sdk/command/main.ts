import { GantryError, messageOf } from '../errors.ts';
import { conformanceCommand } from './conformance.ts';
import { createCommand } from './create.ts';
import { manifestCommand } from './manifest.ts';
import { packCommand } from './pack.ts';
import { serveCommand } from './serve.ts';

export interface Command {
  readonly summary: string;
  readonly help: string;
  /** Answers the exit code. */
  run(argv: readonly string[]): Promise<number>;
}

const commands: Readonly<Record<string, Command>> = {
  create: createCommand,
  conformance: conformanceCommand,
  manifest: manifestCommand,
  pack: packCommand,
  serve: serveCommand,
};

/** `gantry-sdk COMMAND …`: answers the exit code, 0 done, 1 failed, 2 asked for in a way that makes no sense. */
export async function main([name, ...argv]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return say(help(), name === undefined ? 2 : 0);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return complain(`unknown command ${JSON.stringify(name)}\n\n${help()}`);
  if (argv.includes('--help') || argv.includes('-h')) return say(command.help, 0);
  try {
    return await command.run(argv);
  } catch (error) {
    const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    if (isUsage) return complain(`${messageOf(error)}\n\n${command.help}`);
    const hint = GantryError.is(error) && error.hint !== undefined ? `\n${error.hint}` : '';
    process.stderr.write(`gantry-sdk ${name}: ${messageOf(error)}${hint}\n`);
    return 1;
  }
}

function help(): string {
  const list = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(13)}${summary}`);
  return `Usage: gantry-sdk COMMAND [OPTIONS]

For authors of Gantry plugins.

${list.join('\n')}

gantry-sdk COMMAND --help says more, with examples.
`;
}

function say(text: string, code: number): number {
  process.stdout.write(text);
  return code;
}

function complain(text: string): number {
  process.stderr.write(text);
  return 2;
}
