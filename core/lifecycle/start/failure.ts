import { GantryError } from '@gantry/sdk';

/** What Docker's shells show for a container that did not start: 127 not found, 126 not executable, 128 anything else. */
export function startExitCode(error: unknown): number {
  const reason = GantryError.is(error) ? error.reason : undefined;
  if (reason === 'COMMAND_NOT_FOUND') return 127;
  return reason === 'COMMAND_NOT_EXECUTABLE' ? 126 : 128;
}
