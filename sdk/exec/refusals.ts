import { GantryError, invalidArgument } from '../errors.ts';

/** Refuses what could leave a folder that is named after it. */
export function checkId(id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) throw invalidArgument(`${JSON.stringify(id)} is no container or exec id`);
  return id;
}

/**
 * A program that is not there or cannot be run, in the words of Go's os/exec, which Docker's clients look for, whatever the runtime called it.
 * `why` is said of one that is there: "exec format error"; a directory is "permission denied" as well, EACCES of execve(2).
 */
export function commandFailure(
  program: string,
  {
    verb,
    reason,
    why = 'permission denied',
    facts = {},
  }: {
    readonly verb: 'create' | 'exec';
    readonly reason: 'COMMAND_NOT_FOUND' | 'COMMAND_NOT_EXECUTABLE';
    readonly why?: string;
    readonly facts?: Readonly<Record<string, string>>;
  },
): GantryError {
  const said = reason === 'COMMAND_NOT_FOUND' ? whyNotFound(program) : why;
  const text = `OCI runtime ${verb} failed: unable to start container process: exec: ${JSON.stringify(program)}: ${said}`;
  return new GantryError('invalid_argument', text, { reason, facts });
}

function whyNotFound(program: string): string {
  return program.includes('/') ? `stat ${program}: no such file or directory` : 'executable file not found in $PATH';
}
