import type { RestartPolicy } from '@gantry/sdk/engine';

const firstDelayMs = 100;
const longestDelayMs = 60_000;
const longEnoughMs = 10_000;

/** Milliseconds before the next restart: 100, doubled after each run shorter than 10 s, at most a minute. */
export function nextRestartDelay(previousMs: number, ranForMs: number): number {
  if (previousMs === 0 || ranForMs >= longEnoughMs) return firstDelayMs;
  return Math.min(previousMs * 2, longestDelayMs);
}

/** Whether the policy wants another run after an exit. `stoppedByUser`: stop or kill since the last start. */
export function wantsRestart(
  { Name = '', MaximumRetryCount = 0 }: RestartPolicy,
  { exitCode, restartCount, stoppedByUser }: { readonly exitCode: number; readonly restartCount: number; readonly stoppedByUser: boolean },
): boolean {
  if (stoppedByUser) return false;
  if (Name === 'always' || Name === 'unless-stopped') return true;
  return Name === 'on-failure' && exitCode !== 0 && (MaximumRetryCount === 0 || restartCount < MaximumRetryCount);
}

/** Whether a container is started when the engine starts: what ran and may run again, and `always` even when it was stopped by hand. */
export function wantsStartAtBoot(
  { Name = '' }: RestartPolicy,
  { wasRunning, stoppedByUser, hasRun }: { readonly wasRunning: boolean; readonly stoppedByUser: boolean; readonly hasRun: boolean },
): boolean {
  if (Name === 'always') return hasRun;
  if (Name === 'unless-stopped') return hasRun && !stoppedByUser;
  return Name === 'on-failure' && wasRunning;
}

export function hasRestartPolicy({ Name = '' }: RestartPolicy): boolean {
  return Name !== '' && Name !== 'no';
}
