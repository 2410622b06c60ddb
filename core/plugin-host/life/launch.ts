import { deadlineExceeded, durationMs, GantryError, messageOf, unavailable } from '@gantry/sdk';
import { Generation } from './generation.ts';
import type { Link } from '../placements/link.ts';
import type { PluginPolicy } from './policy.ts';
import type { PluginRecord, Version } from '../record.ts';
import { withDefaults } from '../settings.ts';

export interface Launch {
  readonly version: Version;
  readonly settings: PluginRecord['settings'];
  readonly secrets: PluginRecord['secrets'];
  readonly number: number;
  readonly placement: PluginRecord['placement'];
  readonly policy: PluginPolicy;
}

/** One start of one version, within the manifest's or the policy's time. Built-in parts in this process take the time they take. */
export async function launch(
  { version, settings, secrets, number, placement, policy }: Launch,
  start: (signal: AbortSignal) => Promise<Link>,
): Promise<Generation> {
  const timeoutMs = startTimeoutMs(version, policy);
  const began = performance.now();
  const signal = placement === 'in-process' ? never : AbortSignal.timeout(timeoutMs);
  try {
    const link = await start(signal);
    return await Generation.over(link, { number, version, settings: withDefaults(version.manifest, settings), secrets, began });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw deadlineExceeded(`it was not ready within ${timeoutMs / 1e3} s`, {
      cause: error,
      hint: 'see what it printed: gantry plugin logs',
    });
  }
}

/** The same error, naming the plugin. */
export function failedToStart(name: string, error: unknown): GantryError {
  const message = `plugin ${name} failed to start: ${messageOf(error)}`;
  if (!GantryError.is(error)) return unavailable(message, { cause: error });
  const { hint, reason, facts } = error;
  return new GantryError(error.code, message, { hint, reason, facts, cause: error });
}

const startTimeoutMs = ({ manifest: { startTimeout } }: Version, { startMs }: PluginPolicy): number =>
  startTimeout === undefined ? startMs : Math.min(durationMs(startTimeout), 120_000);

const never = new AbortController().signal;
