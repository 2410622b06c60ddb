import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { HostContext } from '@gantry/sdk';
import { type CreateRequest, type DescribingExecDriver, type ExecDriver, isDescribing } from '@gantry/sdk/exec';
import { Database } from '../../../core/metadata/index.ts';
import plugin from '../../../plugins/exec/oci/main.ts';
import { type ContainerOptions, execCases, type ExecUnderTest } from '../../../sdk/exec/conformance.ts';
import { busyboxRootfs } from '../images/busybox.ts';
import { hostContext } from '../clients/host-context.ts';
import { leakGuard } from '../machine/leak-guard.ts';
import { testPlacements } from './placed-suite.ts';
import { quietLog } from '../machine/quiet-log.ts';
import { slowness } from '../machine/slowness.ts';

/** The cases of the contract in each placement, over a real runtime. */
export function testOci(label: string, config: HostContext['config']): void {
  before(async () => {
    // What stays once for all: the parent cgroup, libuv's one inotify descriptor, the test runner's own timer.
    await using subject = await openOci(config);
    await subject.driver.runtimes({}, subject.ctx);
  });
  leakGuard();
  const rootfs = mkdtempSync(join(tmpdir(), 'oci-rootfs-'));
  busyboxRootfs(rootfs);
  // For users that are no root outside of the container.
  chmodSync(rootfs, 0o755);
  testPlacements({
    label,
    plugin: 'exec/oci',
    kind: 'exec',
    driver: 'oci',
    config,
    cases: execCases,
    // How often a state was asked for, and whether output came in one piece, is a matter of time.
    answers: { measuring: ['stats'], varying: [/\b[ce]\d+\b/g], ofStream: () => [] },
    run: async (tried, subject) => {
      const { killAndRestart } = subject;
      const under: ExecUnderTest = {
        get driver() {
          return running(subject.driver);
        },
        restart: async (meanwhile) => running(await subject.restart(meanwhile)),
        ...(killAndRestart && { kill: async () => running(await killAndRestart()) }),
        kept: () => keptBy(subject.pid, subject.pluginFolder),
        hasKernel: true,
        oneOf: subject.placement === 'in-process' && slowness === 1 ? 1 : 16,
        ...bundles(subject.folder, rootfs),
      };
      return tried.skip(under) ?? (await tried.run(under));
    },
  });
  // After the plugins' own end.
  after(() => rmSync(rootfs, { recursive: true }));
}

/** The OCI exec driver in this process over real runtimes, with bundles that share one busybox tree. */
export async function openOci(config: HostContext['config'] = {}): Promise<ExecUnderTest & AsyncDisposable> {
  const folder = mkdtempSync(join(tmpdir(), 'oci-'));
  const rootfs = join(folder, 'rootfs');
  busyboxRootfs(rootfs);
  const database = new Database(join(folder, 'metadata.db'));
  const host = hostContext({ name: 'exec-oci', config, dataDir: folder, runDir: join(folder, 'run'), database });
  let activation = await plugin.activate(host);
  const driver = (): ExecDriver => running(activation.drivers.exec?.['oci']);
  const restart = async (meanwhile?: () => Promise<void>) => {
    await activation.deactivate?.();
    await meanwhile?.();
    activation = await plugin.activate(host);
    return driver();
  };
  return {
    get driver() {
      return driver();
    },
    ...bundles(folder, rootfs),
    restart,
    hasKernel: true,
    [Symbol.asyncDispose]: async () => {
      await activation.deactivate?.();
      database[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The driver, if it runs processes itself. */
export function running(driver: ExecDriver | DescribingExecDriver | undefined): ExecDriver {
  assert.ok(driver !== undefined && !isDescribing(driver));
  return driver;
}

/** Open descriptors of a process, and the files in its folder. */
function keptBy(pid: number, folder: string): Readonly<Record<string, number>> {
  const kept: Record<string, number> = { files: readdirSync(folder, { recursive: true }).length };
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const what = readLink(`/proc/${pid}/fd/${fd}`)?.replace(/:\[\d+\]$/, '');
    if (what !== undefined) kept[what] = (kept[what] ?? 0) + 1;
  }
  return kept;
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Ids are this process's, so that a driver that serves many cases sees each once. */
let count = 0;

/** Makes containers to be, in a folder. */
export function bundles(folder: string, rootfs: string): Pick<ExecUnderTest, 'ctx' | 'container' | 'exec'> {
  return {
    ctx: { signal: new AbortController().signal, log: quietLog, operationId: 'test' },
    container: (options) => container(folder, rootfs, `c${(count += 1)}`, options),
    exec: (request, { detached = false, tty = false, openStdin = false, ...options }) => {
      const execId = `e${(count += 1)}`;
      const bundle = join(request.bundle, execId);
      return { id: request.id, execId, bundle, process: processOf({ tty, ...options }), spoolDir: bundle, tty, openStdin, detached };
    },
  };
}

function container(folder: string, rootfs: string, id: string, options: ContainerOptions): CreateRequest {
  const { tty = false, openStdin = false, stdinOnce = false } = options;
  const bundle = join(folder, id);
  const spoolDir = join(bundle, 'spool');
  mkdirSync(spoolDir, { recursive: true });
  const spec = specOf(rootfs, id, options);
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(options.spec?.(spec, bundle) ?? spec));
  return { id, bundle, spoolDir, spoolMaxBytes: 1 << 20, tty, openStdin, stdinOnce };
}

const specOf = (rootfs: string, id: string, options: ContainerOptions) => ({
  ociVersion: '1.0.0',
  root: { path: rootfs },
  process: processOf(options),
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
    },
  ],
  linux: {
    cgroupsPath: `/gantry/${id}`,
    namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })),
  },
});

const processOf = ({ script = '', args = ['/bin/sh', '-c', script], tty = false }: ContainerOptions) => ({
  terminal: tty,
  user: { uid: 0, gid: 0 },
  args,
  env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'],
  cwd: '/',
});
