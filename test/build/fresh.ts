import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { isFresh } from '../../core/bin/code.mjs';

/**
 * Builds `dist` when a source has changed since, for scripts that want the engine as users get it. GANTRY_SOURCE=1 leaves it as it is.
 * In a process of its own: nothing of the builder stays in this one.
 */
export function buildWhenStale(): void {
  if (process.env['GANTRY_SOURCE'] === '1' || ['core/cli/index', 'core/bin/gantryd'].every(isFresh)) return;
  execFileSync(process.execPath, [join(import.meta.dirname, 'build.ts'), '--no-types'], { stdio: 'inherit' });
}
