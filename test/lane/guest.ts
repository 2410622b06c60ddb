import { writeFileSync } from 'node:fs';
import { runTests, type Totals } from '../support/test-run.ts';

/** In a guest: `guest.ts TIMEOUT_MS FILE…` runs test files one after the other and tells their totals in /out/totals.json. */
const [timeoutMs, ...files] = process.argv.slice(2);
const totals: Record<string, Totals> = {};
for (const file of files) {
  totals[file] = await runTests([file], { concurrency: 1, fileTimeoutMs: Number(timeoutMs), report: (line) => console.log(line) });
  writeFileSync('/out/totals.json', JSON.stringify(totals));
}
