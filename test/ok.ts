import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Totals } from './support/test-run.ts';
import { noTests, runTests, sumOf } from './support/test-run.ts';

/** `npm run ok`: everything that can be checked without root, in under a minute. One line per step; failures in full at the end. */
export async function ok(): Promise<Totals> {
  const waiting = [...steps];
  const results: Totals[] = [];
  const worker = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) results.push(await timed(step));
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  return sumOf(results);
}

interface Step {
  readonly name: string;
  readonly check: () => Promise<Totals>;
}

const top = join(import.meta.dirname, '..');

// The long ones first, so that the two lanes end together.
const steps: readonly Step[] = [
  { name: 'unit tests', check: () => runTests(['test/unit/**/*.test.ts'], { concurrency: 2, fileTimeoutMs: 30_000 }) },
  { name: 'types', check: tool('tsc', '--noEmit') },
  { name: 'lint', check: tool('oxlint', '--type-aware', '--deny-warnings') },
  { name: 'unused', check: tool('knip', '--no-progress', '--no-config-hints') },
  { name: 'rooms', check: () => runTests(['test/architecture/*.test.ts'], { concurrency: 1, fileTimeoutMs: 30_000 }) },
  { name: 'format', check: tool('biome', 'format', '.') },
];

function tool(name: string, ...given: readonly string[]): () => Promise<Totals> {
  return async () => {
    const child = spawn(join(top, 'node_modules/.bin', name), given, { cwd: top, stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
    const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
    return code === 0 ? noTests : { ...noTests, failed: 1, failures: [`${name} ${given.join(' ')}\n${output}${errors}`] };
  };
}

async function timed({ name, check }: Step): Promise<Totals> {
  const began = performance.now();
  const totals = await check();
  console.log(`${totals.failed > 0 ? 'FAILED' : 'ok    '} ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  return totals;
}

if (import.meta.main) {
  const { failures } = await ok();
  for (const failure of failures) console.log(`\n${failure}`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}
