import { DockerCommand } from './command.ts';
import { findCommand, type Found } from './catalogue.ts';
import { makeContext } from './context.ts';
import { report } from './report.ts';

interface GlobalFlags {
  readonly host?: string;
  readonly version?: boolean;
  readonly help?: boolean;
}

/** Runs one command line (without node and script) and resolves with the exit code. Never rejects. */
export async function main(words: readonly string[]): Promise<number> {
  try {
    const { flags, rest } = readGlobalFlags(words);
    if (flags.version === true) return await runFound({ name: 'version', words: ['--short'] }, flags);
    const wantsHelp = flags.help === true || rest.length === 0 || rest[0] === 'help';
    if (wantsHelp) return await showHelp(rest[0] === 'help' ? rest.slice(1) : rest);
    const found = findCommand(rest);
    return found === undefined ? await explainUnknown(rest) : await runFound(found, flags);
  } catch (error) {
    return report(error);
  }
}

async function runFound(found: Found, { host }: GlobalFlags): Promise<number> {
  const { loadVerb } = await import('./catalogue.ts');
  const verb = await loadVerb(found.name);
  return await verb.run(makeContext(found.name, host), found.words);
}

async function showHelp(rest: readonly string[]): Promise<number> {
  const { help } = await import('./help.ts');
  return await help(rest);
}

async function explainUnknown(rest: readonly string[]): Promise<number> {
  const { unknownCommand } = await import('./help.ts');
  return await unknownCommand(rest);
}

function readGlobalFlags(words: readonly string[]): { readonly flags: GlobalFlags; readonly rest: readonly string[] } {
  const root = new DockerCommand('gantry')
    .helpOption(false)
    .passThroughOptions()
    .argument('[words...]')
    .action(() => undefined);
  root.option('-H, --host <address>').option('-v, --version').option('-h, --help');
  root.read(words);
  return { flags: root.opts(), rest: root.args };
}
