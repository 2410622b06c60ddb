import { closeSync, existsSync, lstatSync, openSync, readSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { forbidden, fromErrno, GantryError, invalidArgument, notFound } from '@gantry/sdk';
import { errnoError, isErrno, mayAccess, posixSpawn } from '@gantry/sdk/linux';
import { pidCells, type SandboxJob } from './job.ts';

/** Starts the plugin's program, as whom this thread has become. Throws `not_found` or `forbidden` naming what is wrong with it. */
export function startProgram({ name, argv, cwd, env, stdio, isGated, pids }: SandboxJob): void {
  const [program = ''] = argv;
  check(name, program, 'program', argv);
  check(name, cwd, 'working directory', argv);
  const start = (isGated ? gated({ argv, env }) : undefined) ?? { file: program, argv };
  try {
    if (start.file !== program) foreseen(program);
    new Int32Array(pids)[pidCells.program] = posixSpawn({ ...start, env, cwd, stdio, setsid: true });
  } catch (error) {
    throw explained(error, name, program);
  }
}

/** Throws what the kernel will answer, as far as the file tells: the shell before it hears that when everybody takes the program for started. */
function foreseen(program: string): void {
  if (statSync(program).isDirectory()) throw errnoError('execve', { path: program, errno: constants.errno.EACCES });
  const head = beginningOf(program);
  if (head === undefined || head.startsWith('\x7fELF')) return;
  const [, interpreter] = /^#![ \t]*([^ \t\n\0]+)/.exec(head) ?? [];
  if (interpreter === undefined) throw errnoError('execve', { path: program, errno: constants.errno.ENOEXEC });
  if (!mayAccess(interpreter, 1))
    throw errnoError('execve', { path: program, errno: existsSync(interpreter) ? constants.errno.EACCES : constants.errno.ENOENT });
}

/** As many bytes as the kernel looks at, in latin1; undefined for a program that may be run and not read. */
function beginningOf(program: string): string | undefined {
  try {
    const file = openSync(program, 'r');
    try {
      const bytes = Buffer.alloc(256);
      return bytes.toString('latin1', 0, readSync(file, bytes));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}

/** It was there, and executable: so it is about what else it needs. */
function explained(error: unknown, name: string, program: string): Error {
  const { code, message } = fromErrno(error, `plugin ${name}: its program ${program} cannot be started`);
  if (isErrno(error, 'ENOENT'))
    return notFound(message, { hint: 'what its first line names after #!, or its loader, is not in the sandbox', cause: error });
  if (isErrno(error, 'ENOEXEC'))
    return invalidArgument(message, { hint: 'it is no program for this machine, or a script without #!', cause: error });
  return new GantryError(code, message, { cause: error });
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

/**
 * The program behind a shell that waits for a line. Undefined where a root of its own has no shell, or not what hands on what a shell loses: then it begins at once, and
 * is moved a moment later.
 */
function gated({ argv, env }: Pick<SandboxJob, 'argv' | 'env'>): { readonly file: string; readonly argv: readonly string[] } | undefined {
  if (!mayAccess('/bin/sh', 1)) return undefined;
  // dash hands on no variable whose name it could not have itself; a plugin in a root of its own may want some.
  const lost = Object.entries(env).filter(([key]) => !/^[A-Za-z_]\w*$/.test(key));
  const [program = ''] = argv;
  if (lost.length > 0 && (!mayAccess(envProgram, 1) || program.includes('='))) return undefined;
  const handedOn = lost.length === 0 ? [] : [envProgram, ...lost.map(([key, value]) => `${key}=${value}`)];
  return { file: '/bin/sh', argv: ['sh', '-c', gate(env), 'gate', ...handedOn, ...argv] };
}

const envProgram = '/usr/bin/env';

/** Shells add these to the environment that they hand on; bash insists on its SHLVL. */
function gate(env: SandboxJob['env']): string {
  const added = ['PATH', 'PWD', 'OLDPWD', 'SHLVL', '_'].filter((name) => !(name in env));
  return `read -r GATE || exit 1; unset GATE ${added.join(' ')}; exec "$@"`;
}
