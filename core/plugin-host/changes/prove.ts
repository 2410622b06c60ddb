import { conflict } from '@gantry/sdk';
import { failpoint } from '../../support/index.ts';
import type { ChangesParts } from './change-parts.ts';
import { compare } from '../comparison/comparison.ts';
import type { Generation } from '../life/generation.ts';
import type { Plugin } from '../life/plugin.ts';

/** What a new generation must show before it serves: its own checks, and everything that the old one had. Refuses with `conflict`. */
export async function prove(
  { options, registry }: Pick<ChangesParts, 'options' | 'registry'>,
  plugin: Plugin,
  next: Generation,
): Promise<void> {
  failpoint('plugin.upgrade.started');
  const signal = AbortSignal.timeout(60_000);
  const failed = (await next.link.selfTest(true, signal)).filter(({ ok }) => !ok);
  if (failed.length > 0)
    throw conflict(`its self-test failed: ${failed.map(({ name, message }) => `${name}: ${message}`).join('; ')}`, {
      hint: failed[0]?.hint,
    });
  const { missing } = await compare(options.database, registry.served(plugin), next.link, signal);
  const named = missing.slice(0, 5).map(({ ref: { kind, id } }) => `${kind} ${id}`);
  if (missing.length > 0) throw conflict(`it does not have ${named.join(', ')}, which the running version has`);
}
