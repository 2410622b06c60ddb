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

/** A process that could not be made. Why, in the words that Docker's clients look for, is the message; which kind of why is the reason. */
export function startFailure(message: string, doing: string): GantryError {
  const reason = reasonOf(message);
  if (reason === undefined) return internal(`${doing}: ${message}`, { facts: { runtimeMessage: message } });
  return new GantryError('invalid_argument', `${doing}: ${message}`, { reason, facts: { runtimeMessage: message } });
}

function reasonOf(message: string): 'COMMAND_NOT_FOUND' | 'COMMAND_NOT_EXECUTABLE' | undefined {
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

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
