import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDir, type LaneKernel, rootDir } from './cache.ts';

export interface GuestOptions {
  readonly kernel: LaneKernel;
  /** A shell script, run by root in /project, a copy-on-write view of the project; cgroup v2 alone, loopback alone. */
  readonly script: string;
  /** Loaded first, of `vm` alone: "zfs". */
  readonly modules?: readonly string[];
  readonly memoryMiB?: number;
  /** For all of it, the boot included. */
  readonly timeoutMs: number;
  readonly onOutput?: (text: string) => void;
}

export interface GuestResult {
  /** Of the script; undefined when the guest did not get that far, or was out of time. */
  readonly code: number | undefined;
  readonly isOutOfTime: boolean;
  readonly output: string;
  /** What the kernel said. */
  readonly kernelLog: string;
  /** What the script wrote to a file of this name in /out. */
  readonly files: ReadonlyMap<string, string>;
}

/** Boots a guest, runs a script in it and answers how that ended. Whatever it did is gone with it. Needs root. */
export async function runGuest({
  kernel,
  script,
  modules = [],
  memoryMiB = 3072,
  timeoutMs,
  onOutput = () => undefined,
  collect = [],
}: GuestOptions & { readonly collect?: readonly string[] }): Promise<GuestResult> {
  const out = mkdtempSync(join(tmpdir(), 'gantry-lane-'));
  const mountPoint = join(cacheDir, 'mnt');
  mkdirSync(mountPoint, { recursive: true });
  writeFileSync(join(out, 'command'), `export GANTRY_TEST_SLOWNESS=${slowness[kernel]}\n${script}`);
  try {
    const { output, isOutOfTime } = await boot({
      timeoutMs,
      onOutput,
      env: {
        LANE_KERNEL: kernel,
        LANE_MODULES: modules.join(','),
        LANE_ROOT: rootDir,
        LANE_PROJECT: project,
        LANE_OUT: out,
        LANE_MOUNT: mountPoint,
        LANE_MEMORY: String(memoryMiB),
        LANE_CPUS: '2',
      },
    });
    const code = read(join(out, 'code'));
    return {
      code: code === '' ? undefined : Number(code),
      isOutOfTime,
      output,
      kernelLog: read(join(out, 'kernel.log')),
      files: new Map(collect.map((name) => [name, read(join(out, name))])),
    };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** How many times longer tests wait there for what should happen. */
const slowness = { uml: 6, vm: 15 } as const satisfies Record<LaneKernel, number>;
const project = join(import.meta.dirname, '../..');
const namespaces = 'unshare --mount --propagation private --pid --fork --kill-child --net --'.split(' ');

async function boot({
  env,
  timeoutMs,
  onOutput,
}: Required<Pick<GuestOptions, 'timeoutMs' | 'onOutput'>> & { readonly env: Readonly<Record<string, string>> }): Promise<
  Pick<GuestResult, 'output' | 'isOutOfTime'>
> {
  const command = ['--pdeathsig', 'KILL', ...namespaces, 'nice', '-n', '5', 'bash', join(import.meta.dirname, 'boot.sh')];
  const child = spawn('setpriv', command, { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      onOutput(text);
    });
  let isOutOfTime = false;
  const timer = setTimeout(() => (isOutOfTime = child.kill('SIGKILL')), timeoutMs);
  await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  return { output, isOutOfTime };
}

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}
