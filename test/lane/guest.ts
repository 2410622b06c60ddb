import { writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { runTests, type Totals } from '../support/test-run.ts';

/** What a guest is to run; the argument of guest.ts. */
export interface GuestPlan {
  /** From the top of the project. */
  readonly files: readonly string[];
  /** Since the guest began to boot: by then it ends, whatever it has come to. */
  readonly timeoutMs: number;
  /** What it has not come to by then is skipped, and does not fail. */
  readonly mayBeCut: boolean;
  /** A regular expression: nothing but tests of such names. */
  readonly only?: string;
}

/** In a guest: runs test files one after the other and tells their totals in /out/totals.json. */
async function runPlan({ files, timeoutMs, mayBeCut, only }: GuestPlan): Promise<void> {
  const endsAtMs = performance.now() - uptime() * 1000 + timeoutMs;
  const totals: Record<string, Totals> = {};
  for (const file of files) {
    const leftMs = endsAtMs - performance.now();
    if (leftMs < 1000) break;
    totals[file] = await runTests([file], {
      concurrency: 1,
      fileTimeoutMs: Math.round(leftMs),
      mayBeCut,
      // Nothing runs beside it: what failed would only take its time once more.
      isTriedAgain: false,
      report: (line) => console.log(line),
      ...(only !== undefined && { only: new RegExp(only) }),
    });
    writeFileSync('/out/totals.json', JSON.stringify(totals));
  }
}

if (import.meta.main) await runPlan(JSON.parse(process.argv[2] ?? '') as GuestPlan);
