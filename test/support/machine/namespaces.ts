import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface NamespaceOptions {
  /** `host` keeps the machine's layout, `v1` drops the v2 tree of a hybrid one (crun refuses hybrid), `v2` shows the v2 tree alone. */
  readonly cgroups?: 'host' | 'v1' | 'v2';
  /** Why this machine cannot run the file: skips it. */
  readonly missing?: string | undefined;
}

/**
 * Called at the top of a test file (or of the benchmark), before the first test: runs the same file again in private mount, network, pid, ipc,
 * uts and cgroup namespaces with its own /proc, /run, TMPDIR (a tmpfs) and loopback, and ends this process with its exit code.
 * Inside them it returns at once. What is made inside goes away with the namespaces, even when the test is killed.
 * The second run writes to the same stdout, so `node --test` counts its tests as if they were ours.
 * Without root the file counts as one skipped test.
 */
export function inNamespaces(fileUrl: string, { cgroups = 'host', missing: lacking }: NamespaceOptions = {}): void {
  if (process.env[insideMark] !== undefined) return;
  const file = fileURLToPath(fileUrl);
  const missing = missingForNamespaces() ?? lacking;
  if (missing !== undefined) process.exit(runSkipped(file, missing));
  removeDeadCgroups();
  const cgroup = `${cgroupPrefix}${process.pid}`;
  const status = run([...enter, initScript, cgroup, cgroups, process.execPath, ...process.execArgv, file, ...process.argv.slice(2)]);
  removeCgroups(cgroup);
  process.exit(status);
}

/** Why private namespaces cannot be made here; undefined when they can. */
export function missingForNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  return undefined;
}

const insideMark = 'GANTRY_TEST_INSIDE';
const cgroupPrefix = 'gantry-test-';
const initScript = join(import.meta.dirname, 'namespace-init.sh');

// Whoever kills this process (a timeout of node --test) kills unshare by its death signal, and --kill-child kills process 1 and so everything inside.
const unshare = 'unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc --propagation private'.split(' ');
const enter = ['setpriv', '--pdeathsig', 'KILL', ...unshare];

function run([command = '', ...given]: readonly string[]): number {
  const { status, error } = spawnSync(command, given, { stdio: 'inherit', env: { ...process.env, [insideMark]: '1' } });
  if (error !== undefined) throw error;
  return status ?? 1;
}

/** One skipped test in the place of a file; its exit code. */
export function runSkipped(file: string, reason: string): number {
  const script = `require('node:test').test(${JSON.stringify(basename(file))}, { skip: ${JSON.stringify(reason)} });`;
  return run([process.execPath, '--eval', script]);
}

function removeDeadCgroups(): void {
  for (const path of globSync(`/sys/fs/cgroup/{*/,}${cgroupPrefix}*`)) {
    if (!existsSync(`/proc/${basename(path).slice(cgroupPrefix.length)}`)) removeTree(path);
  }
}

function removeCgroups(name: string): void {
  for (const path of globSync(`/sys/fs/cgroup/{*/,}${name}`)) removeTree(path);
}

function removeTree(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(path, entry.name));
    rmdirSync(path);
  } catch {
    // A process inside is still dying: the next run removes it.
  }
}
