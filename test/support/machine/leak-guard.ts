import assert from 'node:assert/strict';
import { afterEach, beforeEach } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { census, describe, difference } from './census.ts';
import type { CensusOptions } from './census.ts';
import { slowness } from './slowness.ts';

export interface LeakGuardOptions extends CensusOptions {
  /** How long what was left may take to go away; 20 s unless given, since what a case leaves to the background (a tree to delete) waits for a busy machine. */
  readonly settleMs?: number;
}

/** Called once in a test file: each of its tests fails when it leaves more behind than it found, with a line for each thing. */
export function leakGuard(options: LeakGuardOptions = {}): void {
  let guard: AsyncDisposable | undefined;
  beforeEach(() => {
    guard = noLeaks(options);
  });
  afterEach(async () => {
    await guard?.[Symbol.asyncDispose]();
  });
}

/** Counts now, and again when disposed: throws when something came and stayed. What went away is no leak. */
export function noLeaks({ settleMs = 20_000, ...options }: LeakGuardOptions = {}): AsyncDisposable {
  const before = census(options);
  return {
    [Symbol.asyncDispose]: async () => {
      const deadline = performance.now() + settleMs * slowness;
      for (;;) {
        const { added } = difference(before, census(options));
        if (added.length === 0) return;
        if (performance.now() > deadline) assert.fail(`left behind:\n${describe({ added, removed: [] })}`);
        await sleep(20);
      }
    },
  };
}
