import { GantryError, messageOf } from '@gantry/sdk/errors';
import type { WaitAnswer } from '@gantry/sdk/client';
import { usageReason } from '../command.ts';

/** Docker's exit codes for a process that did not start: 127 not found, 126 not executable, 125 anything else. */
export function startFailureStatus(error: unknown): 125 | 126 | 127 {
  if (GantryError.is(error) && error.reason === usageReason) return 125;
  const message = messageOf(error);
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  if (/permission denied|is a directory/.test(message)) return 126;
  return 125;
}

/** The process's own exit code; 125 when the engine could not learn it. */
export function exitStatus({ StatusCode, Error: failure }: WaitAnswer): { readonly status: number; readonly problem?: string } {
  return failure?.Message ? { status: 125, problem: failure.Message } : { status: StatusCode };
}
