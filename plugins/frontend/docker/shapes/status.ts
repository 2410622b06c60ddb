import type { Container, Health } from '@gantry/sdk/engine';
import { humanDuration, isNever } from '../http/time.ts';

/** "Up 5 minutes (healthy)", "Exited (0) 3 seconds ago": the STATUS column of `docker ps`. */
export function statusText({ state }: Container, nowMs: number): string {
  const since = (time: string) => humanDuration(nowMs - Date.parse(time));
  switch (state.status) {
    case 'running':
      return `Up ${since(state.startedAt)}${healthText(state.health)}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
    case 'created':
      return 'Created';
    case 'exited':
      return isNever(state.finishedAt) ? '' : `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    default:
      return state.status satisfies never;
  }
}

function healthText(health: Health | undefined): string {
  if (health === undefined || health.status === 'none') return '';
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`;
}
