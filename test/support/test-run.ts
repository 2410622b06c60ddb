import { globSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { inspect } from 'node:util';

export interface TestRunOptions {
  readonly concurrency: number;
  /** A file that takes longer is killed and counts as failed. */
  readonly fileTimeoutMs: number;
  readonly report?: (line: string) => void;
  /** A file that is out of time does not fail: what it had not come to counts as one skipped test. */
  readonly mayBeCut?: boolean;
  /** One that fails is run once more, alone; yes unless given. */
  readonly isTriedAgain?: boolean;
  /** Nothing but tests of such names. */
  readonly only?: RegExp;
}

export interface Skipped {
  readonly name: string;
  readonly file: string;
  readonly reason: string;
}

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly Skipped[];
  /** Name, place and error of each failed test, and what its file printed. */
  readonly failures: readonly string[];
  /** What failed beside others and passed alone: named at the end, for somebody to look at. */
  readonly unsteady: readonly string[];
}

export const noTests: Totals = { passed: 0, failed: 0, skipped: [], failures: [], unsteady: [] };

/** Runs test files (globs from the top of the repository), each in a process of its own; reports one line per file. */
export async function runTests(
  globs: readonly string[],
  { concurrency, fileTimeoutMs, report = () => undefined, mayBeCut = false, isTriedAgain = true, only }: TestRunOptions,
): Promise<Totals> {
  const given = { timeoutMs: fileTimeoutMs, mayBeCut, only };
  const waiting = globSync(globs, { cwd: top }).toSorted();
  const results: Totals[] = [];
  const suspects: { readonly file: string; readonly first: Totals }[] = [];
  const lane = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const began = performance.now();
      const totals = await runFile(resolve(top, file), given);
      report(lineOf(file, totals, performance.now() - began));
      if (totals.failed === 0 || !isTriedAgain) results.push(totals);
      else suspects.push({ file, first: totals });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  for (const { file, first } of suspects) {
    const began = performance.now();
    const totals = await runFile(resolve(top, file), given);
    report(`again, alone: ${lineOf(file, totals, performance.now() - began)}`);
    results.push(totals.failed === 0 ? { ...totals, unsteady: first.failures } : totals);
  }
  return sumOf(results);
}

export function sumOf(all: readonly Totals[]): Totals {
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
    skipped: all.flatMap(({ skipped }) => skipped),
    failures: all.flatMap(({ failures }) => failures),
    unsteady: all.flatMap(({ unsteady }) => unsteady),
  };
}

const top = join(import.meta.dirname, '../..');

// One run() per file: its own timeout option only fails the tests inside, and a file with something still open would stay for ever.
async function runFile(
  file: string,
  { timeoutMs, mayBeCut, only }: { readonly timeoutMs: number; readonly mayBeCut: boolean; readonly only: RegExp | undefined },
): Promise<Totals> {
  const collected = new Collected(mayBeCut ? `needs more than ${(timeoutMs / 60_000).toFixed(1)} minutes here` : undefined);
  const signal = AbortSignal.timeout(timeoutMs);
  const patterns = only === undefined ? {} : { testNamePatterns: only };
  for await (const { type, data } of run({ files: [file], signal, execArgv: ['--disable-warning=ExperimentalWarning'], ...patterns })) {
    if (type === 'test:stdout' || type === 'test:stderr') collected.printed(data);
    if (type === 'test:pass') collected.pass(data);
    if (type === 'test:fail') collected.fail(data);
  }
  return collected.totals();
}

interface Finished {
  readonly name: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly skip?: string | boolean | undefined;
  readonly details: { readonly type?: string | undefined; readonly error?: Error };
}

class Collected {
  /** Says so when a file that may be cut off was. */
  readonly #cutOff: string | undefined;
  #passed = 0;
  readonly #skipped: Skipped[] = [];
  readonly #failures: { readonly file: string; readonly text: string }[] = [];
  readonly #printed = new Map<string, string>();

  constructor(cutOff: string | undefined) {
    this.#cutOff = cutOff;
  }

  printed({ file = '', message }: { readonly file?: string; readonly message: string }): void {
    this.#printed.set(file, (this.#printed.get(file) ?? '') + message);
  }

  pass({ name, file = '', skip, details }: Finished): void {
    if (details.type === 'suite') return;
    if (skip === undefined || skip === false) this.#passed += 1;
    else this.#skipped.push({ name, file: shown(file), reason: typeof skip === 'string' ? skip : 'no reason given' });
  }

  fail({ name, file = '', line, details: { type, error } }: Finished): void {
    const failureType = error !== undefined && 'failureType' in error ? error.failureType : undefined;
    if (type === 'suite' && failureType === 'subtestsFailed') return;
    if (failureType === 'testAborted' && this.#cutOff !== undefined) {
      this.#skipped.push({ name: 'what it had not come to', file: shown(file), reason: this.#cutOff });
      return;
    }
    this.#failures.push({ file, text: `${shown(file)}:${line ?? 1} ${name}\n${indented(inspect(error?.cause ?? error))}` });
  }

  totals(): Totals {
    const seen = new Set<string>();
    const failures = this.#failures.map(({ file, text }) => {
      const printed = seen.has(file) ? '' : (this.#printed.get(file) ?? '').trimEnd();
      seen.add(file);
      return printed === '' ? text : `${text}\n  the file printed:\n${indented(printed)}`;
    });
    return { unsteady: [], passed: this.#passed, failed: failures.length, skipped: this.#skipped, failures };
  }
}

function lineOf(file: string, { passed, failed, skipped }: Totals, durationMs: number): string {
  const words = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
  ];
  return `${failed > 0 ? 'FAILED' : 'ok    '} ${file}: ${words.join(', ')} (${(durationMs / 1000).toFixed(1)} s)`;
}

function shown(file: string): string {
  return file === '' ? '' : relative(top, file);
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
