import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unavailable } from '@gantry/sdk';
import { checkId, type ExecRequest, runtimeJson } from '@gantry/sdk/exec';
import { commonArguments, flags } from './create.ts';
import { runtimeMessage, startFailure } from './failures.ts';
import type { Layout } from './layout.ts';
import { Monitor } from './monitor.ts';
import type { Runtime } from './runtimes.ts';

/** Starts a monitor for a further process. Unless `detached`, it has opened its attach socket and waits for its release when this resolves. */
export async function prepareExec(
  request: ExecRequest,
  {
    conmon,
    runtime,
    layout,
    ending,
    signal,
  }: {
    readonly conmon: string;
    readonly runtime: Runtime;
    readonly layout: Layout;
    readonly ending: AbortSignal;
    readonly signal: AbortSignal;
  },
): Promise<Monitor> {
  const { id, execId, bundle, detached } = request;
  const exitFolder = join(layout.execFolder(checkId(id), checkId(execId)), 'exit');
  mkdirSync(exitFolder, { recursive: true, mode: 0o700 });
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  const processFile = join(bundle, 'process.json');
  writeFileSync(processFile, runtimeJson(request.process), { mode: 0o600 });
  const monitor = new Monitor({
    conmon,
    arguments: [
      ...commonArguments(request, runtime),
      ...flags({ 'exit-dir': exitFolder, 'log-path': 'off', exec: true, 'exec-process-spec': processFile, 'exec-attach': !detached }),
    ],
    attach: !detached,
    ending,
  });
  try {
    if (monitor.attach === undefined) return monitor;
    monitor.release();
    const report = await monitor.attach.next({ signal });
    if (report === undefined) throw unavailable(`exec ${execId}: conmon gave no answer: ${monitor.complaint() || 'it ended'}`);
    return monitor;
  } catch (error) {
    await monitor.abandon();
    throw error;
  }
}

/** The pid of the process that the monitor was released to make. */
export async function execPid(
  monitor: Monitor,
  { bundle, process }: Pick<ExecRequest, 'bundle' | 'process'>,
  signal: AbortSignal,
): Promise<number> {
  const report = await monitor.sync.next({ signal });
  if (report !== undefined && report.data > 0) return report.data;
  const message = runtimeMessage(join(bundle, 'runtime.log'), report?.message ?? monitor.complaint());
  await monitor.abandon();
  const { args = [] } = process as { readonly args?: readonly string[] };
  throw startFailure(message, { verb: 'exec', program: args[0] ?? '' });
}

export function removeExecBundle(bundle: string): void {
  for (const name of ['attach', 'ctl', 'winsz', 'pid', 'process.json', 'runtime.log']) rmSync(join(bundle, name), { force: true });
}
