import type { Outcome } from '../conformance/index.ts';

export interface Report {
  /** What is said of each case as it ends. */
  readonly each?: (outcome: Outcome) => string;
  readonly all: (outcomes: readonly Outcome[]) => string;
}

/** How conformance is told. */
export const reports: Readonly<Record<string, Report>> = {
  line: { each: line, all: (outcomes) => `${total(outcomes)}\n` },
  json: { all: json },
  junit: { all: junit },
  md: { all: markdown },
};

function line({ status, driver, id, reason, error }: Outcome): string {
  const why = status === 'skipped' ? `  (${reason ?? ''})` : status === 'failed' ? `\n${indented(error?.message ?? '')}` : '';
  return `${words[status]} ${driver}  ${id}${why}\n`;
}

function json(outcomes: readonly Outcome[]): string {
  const cases = outcomes.map(({ error, ...outcome }) => ({
    ...outcome,
    durationMs: Math.round(outcome.durationMs),
    ...(error && { error: error.message }),
  }));
  return `${JSON.stringify({ ...counts(outcomes), cases }, undefined, 2)}\n`;
}

/**
 * The form that CI systems read: one suite per driver and placement. By hand: what is hard about it is in `xml` below, and the well-kept
 * package for it (junit-report-builder) has lodash, make-dir and xmlbuilder behind it, which every author would install.
 */
function junit(outcomes: readonly Outcome[]): string {
  const suites = Map.groupBy(outcomes, ({ driver, placement }) => `${driver} (${placement})`);
  const body = [...suites].map(([name, cases]) => {
    const { failed, skipped } = counts(cases);
    const lines = cases.map(({ id, driver, durationMs, status, reason, error }) => {
      const open = `    <testcase classname="${xml(driver)}" name="${xml(id)}" time="${(durationMs / 1_000).toFixed(3)}"`;
      if (status === 'passed') return `${open}/>`;
      if (status === 'skipped') return `${open}><skipped message="${xml(reason ?? '')}"/></testcase>`;
      return `${open}><failure message="${xml(error?.message ?? '')}">${xml(error?.stack ?? '')}</failure></testcase>`;
    });
    return `  <testsuite name="${xml(name)}" tests="${cases.length}" failures="${failed}" skipped="${skipped}">\n${lines.join('\n')}\n  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${body.join('')}</testsuites>\n`;
}

function markdown(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ status, driver, id, reason, error }) => {
    const why = (reason ?? error?.message ?? '').split('\n')[0] ?? '';
    return `| ${status} | ${driver} | ${id} | ${why.replaceAll('|', '\\|')} |`;
  });
  return `| | driver | case | |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n\n${total(outcomes)}\n`;
}

const words = { passed: 'ok     ', failed: 'FAILED ', skipped: 'skipped' } as const;

function counts(outcomes: readonly Outcome[]): Readonly<Record<Outcome['status'], number>> {
  const of = (wanted: Outcome['status']) => outcomes.filter(({ status }) => status === wanted).length;
  return { passed: of('passed'), failed: of('failed'), skipped: of('skipped') };
}

function total(outcomes: readonly Outcome[]): string {
  const { passed, failed, skipped } = counts(outcomes);
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '        ');
}

/** What XML 1.0 (§2.2) has no place for, as control characters, is none, whatever it is escaped to. */
function xml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
