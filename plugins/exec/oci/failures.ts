import { readFileSync } from 'node:fs';
import { GantryError, internal } from '@gantry/sdk';

/** The runtime's own words: the last error of its JSON log, else what the monitor caught. */
export function runtimeMessage(logPath: string, fallback: string): string {
  let message = '';
  for (const line of readText(logPath).split('\n')) {
    try {
      const { level, msg } = JSON.parse(line) as { readonly level?: string; readonly msg?: string };
      if (msg !== undefined && (level === 'error' || message === '')) message = msg;
    } catch {
      // Not a log line.
    }
  }
  return message || fallback.trim() || 'the runtime gave no reason';
}

/**
 * A process that could not be made. A program that is not there or cannot be run is told in the words of Go's os/exec, which Docker's
 * clients look for, whatever the runtime called it; which of the two is the reason.
 */
export function startFailure(
  message: string,
  { verb, program }: { readonly verb: 'create' | 'exec'; readonly program: string },
): GantryError {
  const doing = `OCI runtime ${verb} failed`;
  const reason = reasonOf(message);
  if (reason === undefined) return internal(`${doing}: ${message}`, { facts: { runtimeMessage: message } });
  const why = reason === 'COMMAND_NOT_FOUND' ? whyNotFound(program) : whyNotExecutable(message);
  const text = `${doing}: unable to start container process: exec: ${JSON.stringify(program)}: ${why}`;
  return new GantryError('invalid_argument', text, { reason, facts: { runtimeMessage: message } });
}

function reasonOf(message: string): 'COMMAND_NOT_FOUND' | 'COMMAND_NOT_EXECUTABLE' | undefined {
  // The working directory is not there, which says nothing about the program.
  if (/\bchdir\b/.test(message)) return undefined;
  if (/executable file.*not found|exec:?.*(no such file or directory|not a directory)|open executable.*no such file/i.test(message))
    return 'COMMAND_NOT_FOUND';
  if (
    /exec:?.*(permission denied|is a directory|exec format error|operation not permitted)|open executable.*permission|is not executable/i.test(
      message,
    )
  ) {
    return 'COMMAND_NOT_EXECUTABLE';
  }
  return undefined;
}

function whyNotFound(program: string): string {
  return program.includes('/') ? `stat ${program}: no such file or directory` : 'executable file not found in $PATH';
}

/** A directory is "permission denied" as well: EACCES of execve(2). */
function whyNotExecutable(message: string): string {
  return /exec format error/i.test(message) ? 'exec format error' : 'permission denied';
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
