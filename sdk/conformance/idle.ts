import assert from 'node:assert/strict';
import { codeOf } from '../errors.ts';
import type { OpenedPlugin } from './opened-plugin.ts';
import type { PluginUnderTest } from './plugin-case.ts';

/** Within a second nothing is under way in the plugin any more, as far as it can be asked. */
export async function isIdle({ wire }: OpenedPlugin, ctx: PluginUnderTest['ctx']): Promise<void> {
  if (wire === undefined) return;
  const { service } = wire;
  const left = await service.drain({ deadlineMs: 1_000, reason: 'conformance' }, ctx()).catch((error: unknown) => {
    if (codeOf(error) !== 'not_implemented') throw error;
  });
  if (left === undefined) return;
  await service.resume({}, ctx());
  assert.equal(left.inFlight, 0, `${left.inFlight} calls went on after they were cancelled`);
}
