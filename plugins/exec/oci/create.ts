import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromErrno, invalidArgument, unavailable } from '@gantry/sdk';
import { checkId, type CreateRequest } from '@gantry/sdk/exec';
import { processStartTime } from '@gantry/sdk/linux';
import { destroyCgroup } from './cgroups/remove.ts';
import { startFailure, runtimeMessage } from './failures.ts';
import type { Layout } from './layout.ts';
import { Monitor } from './monitor.ts';
import type { ContainerRecord } from './records.ts';
import type { Runtime } from './runtimes.ts';
import { giveStreams } from './stream-owners.ts';
import type { BundleSpec, SeccompCache } from './seccomp-cache.ts';

interface CreateTools {
  readonly conmon: string;
  readonly runtime: Runtime;
  readonly layout: Layout;
  readonly seccomp: SeccompCache;
  readonly ending: AbortSignal;
  readonly signal: AbortSignal;
}
export interface Created {
  readonly record: ContainerRecord;
  readonly monitorEnded: Promise<void>;
}

/** Starts a monitor that has the runtime create the container, and waits for the init's pid. Abort kills the monitor, and with it the runtime. */
export async function createContainer(
  request: CreateRequest,
  { conmon, runtime, layout, seccomp, ending, signal }: CreateTools,
): Promise<Created> {
  const { id, bundle } = request;
  checkId(id);
  const config = readBundle(bundle);
  const { spec } = config;
  const cgroup = cgroupOf(spec, bundle);
  annotate(bundle, config, seccomp.annotations(runtime, spec));
  const pidFile = join(bundle, 'monitor.pid');
  for (const path of [layout.containerExit(id), pidFile]) rmSync(path, { force: true });
  const hasUserns = spec.linux?.namespaces?.some(({ type }) => type === 'user') === true;
  using monitor = new Monitor({
    conmon,
    arguments: createArguments(request, hasUserns ? withoutDevNull(request, runtime) : runtime, layout),
    attach: false,
    pidFile,
    ending,
  });
  const program = spec.process?.args?.[0] ?? '';
  const pid = await createdPid(monitor, { ...request, program }, signal).catch(async (error: unknown) => {
    await monitor.abandon();
    await destroyCgroup(cgroup, AbortSignal.timeout(10_000));
    rmSync(layout.runtimeState(id), { recursive: true, force: true });
    throw error;
  });
  giveStreams(pid, { init: pid, ...(spec.process?.user && { user: spec.process.user }) });
  seccomp.learn(runtime, spec, layout.runtimeState(id));
  const { pid: monitorPid, startTime: monitorStartTime } = await monitor.process;
  return {
    record: {
      id,
      bundle,
      runtime: runtime.name,
      // Hooks are run by the runtime's own start and delete.
      program: { path: runtime.path, options: runtime.options, kind: spec.hooks === undefined ? runtime.kind : 'other' },
      pid,
      startTime: processStartTime(pid) ?? 0,
      monitorPid,
      monitorStartTime,
      cgroup,
    },
    monitorEnded: monitor.ended,
  };
}

async function createdPid(
  monitor: Monitor,
  { id, bundle, program }: CreateRequest & { readonly program: string },
  signal: AbortSignal,
): Promise<number> {
  const report = await monitor.sync.next({ signal });
  if (report === undefined) throw unavailable(`create container ${id}: conmon gave no answer: ${monitor.complaint() || 'it ended'}`);
  if (report.data > 0) return report.data;
  throw startFailure(runtimeMessage(join(bundle, 'runtime.log'), report.message ?? ''), { verb: 'create', program });
}

/**
 * crun gives root of a container's user namespace its streams. Without an input the first of them is the machine's own /dev/null, and with a terminal, which comes later, the
 * second is, too: that root could then close it to everybody. A pipe that has ended says as little: the shell makes one of the empty document and becomes the runtime, which
 * the end of the monitor still ends.
 */
function withoutDevNull({ tty, openStdin }: CreateRequest, runtime: Runtime): Runtime {
  if (openStdin && !tty) return runtime;
  const script = `exec "$0" "$@"${tty ? ' >&2' : ''} <<END\nEND\n`;
  return { ...runtime, path: '/bin/sh', options: ['-c', script, runtime.path, ...runtime.options] };
}

/** Options of conmon(8) that containers and execs have in common. */
export function commonArguments(
  { id, bundle, tty, openStdin }: { readonly id: string; readonly bundle: string; readonly tty: boolean; readonly openStdin: boolean },
  { path, root, options: given }: Runtime,
): string[] {
  const runtimeArguments = [...given, '--root', root, '--log', join(bundle, 'runtime.log'), '--log-format=json'];
  const options = flags({
    'api-version': '1',
    'no-sync-log': true,
    'full-attach': true,
    'log-level': 'error',
    cid: id,
    cuuid: id,
    runtime: path,
    bundle,
    'container-pidfile': join(bundle, 'pid'),
    terminal: tty,
    stdin: openStdin,
  });
  return [...options, ...runtimeArguments.flatMap((argument) => ['--runtime-arg', argument])];
}

/** Long options: true is there without a value, false and undefined are not there. */
export function flags(values: Readonly<Record<string, string | boolean | undefined>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? [`--${name}`] : [`--${name}`, value];
  });
}

function createArguments(request: CreateRequest, runtime: Runtime, layout: Layout): string[] {
  const { bundle, spoolDir, spoolMaxBytes, stdinOnce, systemdCgroup } = request;
  const options = flags({
    'exit-dir': layout.exits,
    'persist-dir': bundle,
    'log-path': `k8s-file:${join(spoolDir, 'ctr.log')}`,
    'log-size-max': spoolMaxBytes > 0 ? String(spoolMaxBytes) : undefined,
    // A session keyring for each costs 10 ms when many come and go and counts against root's quota; seccomp denies keyctl anyway.
    'no-new-keyring': true,
    'leave-stdin-open': !stdinOnce,
    'systemd-cgroup': systemdCgroup,
  });
  return [...commonArguments(request, runtime), ...options];
}

interface Bundle {
  readonly text: string;
  readonly spec: BundleSpec;
}

function readBundle(bundle: string): Bundle {
  try {
    const text = readFileSync(join(bundle, 'config.json'), 'utf8').trimEnd();
    return { text, spec: JSON.parse(text) as BundleSpec };
  } catch (error) {
    throw fromErrno(error, `read bundle ${bundle}`);
  }
}

/** Adds annotations to a bundle that has none. */
function annotate(bundle: string, { text, spec }: Bundle, annotations: BundleSpec['annotations']): void {
  if (annotations === undefined || spec.annotations !== undefined) return;
  writeFileSync(join(bundle, 'config.json'), `${text.slice(0, -1)},"annotations":${JSON.stringify(annotations)}}`, { mode: 0o600 });
}

function cgroupOf({ linux }: BundleSpec, bundle: string): string {
  const path = linux?.cgroupsPath;
  if (typeof path !== 'string' || !path.startsWith('/') || path.split('/').includes('..')) {
    throw invalidArgument(`bundle ${bundle}: linux.cgroupsPath must be an absolute path without ".."`);
  }
  return path;
}
