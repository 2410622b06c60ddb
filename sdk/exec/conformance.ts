import { execsCases } from './conformance-execs.ts';
import type { ExecCase, ExecCases, ExecUnderTest } from './conformance-harness.ts';
import { kernelCases } from './conformance-kernel.ts';
import { lifeCases } from './conformance-life.ts';
import { leakCases, loadCases } from './conformance-load.ts';
import { monitorCases } from './conformance-monitor.ts';
import { streamsCases } from './conformance-streams.ts';
import { killedCases, watchCases } from './conformance-watch.ts';

export type { ContainerOptions, ExecCase, ExecUnderTest, Spec } from './conformance-harness.ts';

type Skip = ExecCase['skip'];

/** What every exec driver must do, by named case; a case deletes its containers. */
export const execCases: readonly ExecCase[] = [
  ...named(lifeCases),
  ...named(watchCases),
  ...named(killedCases, ({ kill }) => (kill === undefined ? 'has no process of its own here' : undefined)),
  ...named(streamsCases),
  ...named(execsCases),
  ...named(kernelCases, ({ hasKernel }) => (hasKernel ? undefined : 'its containers are no processes of a kernel')),
  ...named(monitorCases, ({ driver }) => (driver.features.includes('monitor') ? undefined : 'runs nothing that others describe')),
  ...named(loadCases),
  ...named(leakCases, ({ kept }) => (kept === undefined ? 'what it keeps cannot be told from others’' : undefined)),
];

function named(cases: ExecCases, skip: Skip = () => undefined): readonly ExecCase[] {
  return Object.entries(cases).map(([name, run]) => ({ name, skip: (subject: ExecUnderTest) => skip(subject), run }));
}
