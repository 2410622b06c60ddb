import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ctx } from '@gantry/sdk';
import type { ContainerInfo, LogDriver } from '@gantry/sdk/log';
import { type LogAbility, logCases, type LogUnderTest } from '../../../sdk/log/conformance.ts';
import { randomId } from '../../../core/support/index.ts';
import { quietLog } from '../machine/quiet-log.ts';

export const logContext: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

/** A container as log drivers see one, with its folder below `root`. */
export function loggedInfo(root: string, facts: Partial<ContainerInfo> = {}): ContainerInfo {
  const id = facts.id ?? randomId();
  const dir = join(root, id);
  mkdirSync(dir, { recursive: true });
  const image = { image: 'busybox', imageId: `sha256:${'1'.repeat(64)}` };
  return { id, name: 'test', ...image, command: ['true'], env: [], labels: {}, created: new Date(0), ...facts, dir };
}

/** Runs the kit's cases for a driver, each with containers of its own. `open` is called again over the same state for a restart. */
export function testLogDriver(label: string, abilities: readonly LogAbility[], open: () => LogDriver): void {
  const has = new Set(abilities);
  for (const { name, needs, run } of logCases) {
    if (!needs.every((need) => has.has(need))) continue;
    test(`the ${label} log driver passes log.${name}`, async () => {
      const root = mkdtempSync(join(tmpdir(), 'log-'));
      const subject: LogUnderTest = {
        driver: open(),
        ctx: logContext,
        abilities: has,
        container: (facts) => loggedInfo(root, facts),
        restart: async () => open(),
      };
      try {
        await run(subject);
      } finally {
        rmSync(root, { recursive: true });
      }
    });
  }
}
