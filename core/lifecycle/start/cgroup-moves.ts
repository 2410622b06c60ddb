import { readFileSync, writeFile } from 'node:fs';
import { posix } from 'node:path';
import { type MountinfoEntry, readMountinfo } from '@gantry/sdk/linux';

/**
 * Tells the kernel that a process is about to be moved into a cgroup, while there is other work to do. The first move after a while waits
 * for all processors to have seen that moves go on, 8 to 16 ms (`cgroup_threadgroup_rwsem`, kernel/cgroup/cgroup.c); within the next 15 ms
 * none does. So the engine moves itself to where it is, which changes nothing but that. A hint: where it cannot, the runtime waits.
 */
export function expectCgroupMove(): void {
  if (underWay || performance.now() - lastMs < lastsMs) return;
  underWay = true;
  procs ??= ownProcs();
  writeFile(procs, String(process.pid), { flag: 'r+' }, () => {
    underWay = false;
    lastMs = performance.now();
  });
}

/** The same until it is disposed of: for who cannot tell when the move will be, as of a driver in a process of its own. */
export function expectCgroupMoves(): Disposable {
  expectCgroupMove();
  const timer = setInterval(expectCgroupMove, lastsMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const lastsMs = 5;
let lastMs = Number.NEGATIVE_INFINITY;
let underWay = false;
let procs: string | undefined;

function ownProcs(): string {
  return procsFile(readFileSync('/proc/self/cgroup', 'utf8'), readMountinfo());
}

/** The list of processes of a group that the engine is in, in the first hierarchy that is mounted: they all share what is waited for. */
export function procsFile(
  groups: string,
  mounts: readonly Pick<MountinfoEntry, 'type' | 'root' | 'superOptions' | 'mountPoint'>[],
): string {
  for (const line of groups.split('\n')) {
    const [, names, path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names === undefined || !path.startsWith('/')) continue;
    const shown = (superOptions: string): boolean => names.split(',').every((name) => superOptions.split(',').includes(name));
    const mounted = mounts.find(
      ({ type, root, superOptions }) => root === '/' && (names === '' ? type === 'cgroup2' : type === 'cgroup' && shown(superOptions)),
    );
    if (mounted !== undefined) return posix.join(mounted.mountPoint, path, 'cgroup.procs');
  }
  return '/sys/fs/cgroup/cgroup.procs';
}
