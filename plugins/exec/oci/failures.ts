import { readFileSync } from 'node:fs';
import { type GantryError, internal } from '@gantry/sdk';
import { commandFailure } from '@gantry/sdk/exec';

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

/** A process that could not be made. Whether it is the program that is not there or cannot be run is the reason. */
export function startFailure(
  message: string,
  { verb, program }: { readonly verb: 'create' | 'exec'; readonly program: string },
): GantryError {
  const doing = `OCI runtime ${verb} failed`;
  const reason = reasonOf(message);
  if (reason === undefined) return internal(`${doing}: ${message}`, { facts: { runtimeMessage: message } });
  return commandFailure(program, { verb, reason, why: whyNotExecutable(message), facts: { runtimeMessage: message } });
}

function reasonOf(message: string): 'COMMAND_NOT_FOUND' | 'COMMAND_NOT_EXECUTABLE' | undefined {
  // The working directory is not there, which says nothing about the program.
  if (/\bchdir\b/.test(message)) return undefined;
  const why = exec.exec(message)?.[1] ?? '';
  if (/executable file.*not found|open executable.*no such file/i.test(message) || /no such file or directory|not a directory/i.test(why))
    return 'COMMAND_NOT_FOUND';
  if (
    /open executable.*(?:permission|not permitted)|is not executable|^the path `.*` is not a regular file/i.test(message) ||
    /permission denied|is a directory|exec format error|operation not permitted/i.test(why)
  )
    return 'COMMAND_NOT_EXECUTABLE';
  return undefined;
}

/** What runtimes say of execve(2): `exec: "sh": …`, `exec /bin/sh: …`, "exec container process", "exec user process". Folders of that name are none of it. */
const exec = /(?<![\w/.-])exec(?::| (?:container|user) process| [/`'"])(.*)/is;

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
