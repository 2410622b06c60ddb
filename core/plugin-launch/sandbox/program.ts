import { lstatSync } from 'node:fs';
import { forbidden, notFound } from '@gantry/sdk';
import { mayAccess, posixSpawn } from '@gantry/sdk/linux';
import { pidCells, type SandboxJob } from './job.ts';

/** Starts the plugin's program, as whom this thread has become. Throws `not_found` or `forbidden` naming what is wrong with it. */
export function startProgram({ name, argv, cwd, env, stdio, isGated, pids }: SandboxJob): void {
  const [program = ''] = argv;
  check(name, program, 'program', argv);
  check(name, cwd, 'working directory', argv);
  const pid = posixSpawn({
    ...(isGated ? { file: '/bin/sh', argv: ['sh', '-c', gate(env), 'gate', ...argv] } : { file: program, argv }),
    env,
    cwd,
    stdio,
    setsid: true,
  });
  new Int32Array(pids)[pidCells.program] = pid;
}

function check(name: string, path: string, what: string, argv: readonly string[]): void {
  if (mayAccess(path, 1)) return;
  const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  const text = `plugin ${name}: its ${what} ${path} ${isThere ? 'may not be executed by its user' : 'is not there'}`;
  const hint = isThere
    ? `check the modes of ${path} and of the folders above it (started as: ${argv.join(' ')})`
    : 'a plugin sees its own folders, /usr and what it was granted, nothing else of the machine';
  throw isThere ? forbidden(text, { hint }) : notFound(text, { hint });
}

/** Shells add these to the environment that they hand on. */
function gate(env: SandboxJob['env']): string {
  const added = ['PWD', 'OLDPWD', 'SHLVL', '_'].filter((name) => !(name in env));
  return `read -r GATE || exit 1; unset GATE ${added.join(' ')}; exec "$@"`;
}
