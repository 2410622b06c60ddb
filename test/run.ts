import { prepareLane } from './lane/prepare.ts';
import { ok } from './ok.ts';
import { prepareClients } from './support/clients/clients.ts';
import { ensureTools } from './support/setup.ts';
import { runTests, sumOf } from './support/test-run.ts';
import type { Totals } from './support/test-run.ts';

/** `npm test`: from a clean clone to the totals, asking nothing. What needs root or a missing tool is skipped, and the end says so. */
const minute = 60_000;
const isLaneLong = !['0', undefined].includes(process.env['GANTRY_TEST_LANE']);
const suites = [
  { name: 'integration', fileTimeoutMs: 5 * minute },
  { name: 'conformance', fileTimeoutMs: 10 * minute },
  { name: 'robustness', fileTimeoutMs: 10 * minute },
  { name: 'e2e', fileTimeoutMs: 10 * minute },
  // A guest has two CPUs as well. Each bounds itself; who asked for the long run gets it once.
  isLaneLong
    ? { name: 'lane', fileTimeoutMs: 6 * 60 * minute, concurrency: 1, isTriedAgain: false }
    : { name: 'lane', fileTimeoutMs: 12 * minute, concurrency: 1 },
];

const began = performance.now();
const missing = ensureTools('test');
if (missing.length > 0) console.log(`going on without ${missing.join(', ')}: tests that use them fail or are skipped`);
const results = [await ok()];
prepareLane();
prepareClients();
for (const { name, concurrency = 2, ...given } of suites) {
  console.log(`\n${name}`);
  results.push(await runTests([`test/${name}/**/*.test.ts`], { concurrency, ...given, report: (line) => console.log(line) }));
}
finish(sumOf(results));

// What is read first comes last: of a long log often only the end is kept.
function finish({ passed, failed, skipped, failures, unsteady }: Totals): void {
  if (skipped.length > 0) console.log('\nskipped');
  for (const { name, file, reason } of skipped) console.log(`  ${reason}: ${name} (${file})`);
  for (const failure of unsteady) console.log(`\n${failure}`);
  for (const failure of failures) console.log(`\n${failure}`);
  if (unsteady.length > 0) console.log(`\nunsteady: failed beside other tests, passed alone\n${unsteady.map(briefly).join('\n')}`);
  if (failures.length > 0) console.log(`\nfailures\n${failures.map(briefly).join('\n')}`);
  console.log(`\n${((performance.now() - began) / minute).toFixed(1)} minutes`);
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  process.exitCode = failed > 0 ? 1 : 0;
}

/** Which test, and the first line of its error. */
function briefly(failure: string): string {
  const [place = '', error = ''] = failure.split('\n');
  return `  ${place}\n${error.slice(0, 300)}`;
}
