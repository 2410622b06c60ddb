import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';

/** The program that serves a Node module: next to this file, as source or as built. */
export const moduleProgram: string = fileURLToPath(new URL(`./process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));

/** What starts the plugin in a folder, there: its own program, of whatever language, or ours for a Node module, which goes first. */
export function programOf(dir: string, { name, entry: { node, exec } }: Pick<Manifest, 'name' | 'entry'>): readonly [string, ...string[]] {
  if (node !== undefined) return [process.execPath, '--disable-warning=ExperimentalWarning', moduleProgram, dir];
  const [program, ...rest] = exec ?? [];
  if (program === undefined) throw invalidArgument(`plugin ${name} has neither entry.node nor entry.exec`);
  return [isAbsolute(program) ? program : join(dir, program), ...rest];
}

export interface StartFacts {
  readonly socket: string;
  readonly hostSocket: string;
  readonly token: string;
  /** "<plugin id>.<generation>" */
  readonly instance: string;
  readonly dataDir: string;
  readonly runDir: string;
}

/** All of the environment that a plugin is started with, as .github/PLUGINS.md has it. */
export function environmentOf({ socket, hostSocket, token, instance, dataDir, runDir }: StartFacts): Readonly<Record<string, string>> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    GANTRY_PLUGIN: '1',
    GANTRY_PLUGIN_BOOTSTRAP: '1',
    GANTRY_PLUGIN_ENDPOINT: `unix://${socket}`,
    GANTRY_HOST_ENDPOINT: `unix://${hostSocket}`,
    GANTRY_PLUGIN_TOKEN: token,
    GANTRY_PLUGIN_INSTANCE: instance,
    GANTRY_DATA_DIR: dataDir,
    GANTRY_RUN_DIR: runDir,
    // Its own: what it writes there runs in itself alone.
    NODE_COMPILE_CACHE: join(runDir, 'cache'),
  };
}

/** Whether a plugin's first line on stdout says that it listens. */
export function isGreeting(line: string): boolean {
  return line.startsWith('GANTRY-PLUGIN 1 {');
}
