import { writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { runTests, type Totals } from '../support/test-run.ts';

/** What a guest is to run; the argument of guest.ts. */
export interface GuestPlan {
  /** From the top of the project. */
  readonly files: readonly string[];
  readonly fileTimeoutMs: number;
  /** Since the guest began to boot: by then it ends, whatever it has come to; what it has not is skipped. */
  readonly budgetMs?: number;
  /** A regular expression: nothing but tests of such names. */
  readonly only?: string;
}

/** In a guest: runs test files one after the other and tells their totals in /out/totals.json. */
async function runPlan({ files, fileTimeoutMs, budgetMs, only }: GuestPlan): Promise<void> {
  const endsAtMs = performance.now() - uptime() * 1000 + (budgetMs ?? Number.POSITIVE_INFINITY);
  const totals: Record<string, Totals> = {};
  for (const file of files) {
    const leftMs = Math.min(fileTimeoutMs, endsAtMs - performance.now());
    if (leftMs < 1000) break;
    totals[file] = await runTests([file], {
      concurrency: 1,
      fileTimeoutMs: Math.round(leftMs),
      mayBeCut: budgetMs !== undefined,
      report: (line) => console.log(line),
      ...(only !== undefined && { only: new RegExp(only) }),
    });
    writeFileSync('/out/totals.json', JSON.stringify(totals));
  }
}

if (import.meta.main) await runPlan(JSON.parse(process.argv[2] ?? '') as GuestPlan);
