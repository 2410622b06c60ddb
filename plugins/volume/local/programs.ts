import { existsSync } from 'node:fs';
import { notImplemented, exhausted, internal } from '@gantry/sdk';
import { run, type RunResult } from '@gantry/sdk/linux';

/** What this driver leaves to programs of the system. */

const folders = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** The first of them that is not installed here. */
export function missingProgram(...names: readonly string[]): string | undefined {
  return names.find((name) => pathOf(name) === undefined);
}

/** Copies what is in a folder into another one, with owners, modes, times, links and attributes; shares blocks where the file system can. */
export async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  await called('cp', ['-a', '--reflink=auto', '--sparse=always', '-T', '--', from, to], signal);
}

/** Runs a program of the system to its end; what it says goes into the error. `exhausted` when the disk is full. */
export async function called(
  name: string,
  given: readonly string[],
  signal: AbortSignal,
  fine: readonly number[] = [0],
): Promise<RunResult> {
  const file = pathOf(name);
  if (file === undefined) throw notImplemented(`${name} is not installed`, { hint: `install the package that has ${name}` });
  const result = await run({ file, argv: [name, ...given], env: { PATH: folders.join(':'), LC_ALL: 'C' }, signal });
  if (fine.includes(result.exitCode ?? -1)) return result;
  const said = result.stderr.toString().trim() || result.stdout.toString().trim();
  const lines = said.split('\n').slice(-3).join('; ');
  throw (/no space left|disk quota exceeded/i.test(said) ? exhausted : internal)(`${name}: ${lines}`);
}

function pathOf(name: string): string | undefined {
  return folders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}
