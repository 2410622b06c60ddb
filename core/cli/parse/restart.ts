import type { RestartPolicy } from '@gantry/sdk/engine';
import { refuse } from './refuse.ts';

/** `no`, `always`, `unless-stopped` or `on-failure[:retries]`. */
export function parseRestart(text: string): RestartPolicy {
  const [, name, retries] = /^(no|always|unless-stopped|on-failure)(?::(\d+))?$/.exec(text === '' ? 'no' : text) ?? [];
  if (name === undefined) throw refuse(text, 'is not a restart policy', 'no, always, unless-stopped or on-failure[:retries]');
  if (retries !== undefined && name !== 'on-failure') throw refuse(text, `counts retries, which only on-failure does`);
  return { Name: isPolicy(name) ? name : 'no', MaximumRetryCount: Number(retries ?? 0) };
}

function isPolicy(name: string): name is NonNullable<RestartPolicy['Name']> {
  return ['no', 'always', 'unless-stopped', 'on-failure'].includes(name);
}
