import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `uml` is Linux as a process of this machine: it is up in a second. `vm` is Debian's kernel in QEMU without KVM: slow, with modules, and with ZFS. */
export type LaneKernel = 'uml' | 'vm';

/** Everything that setting up makes; removing it costs nothing but the time. */
export const cacheDir = process.env['GANTRY_LANE_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gantry/lane');
/** The guests' root file system, with their kernels in it. Never written to by a guest. */
export const rootDir = join(cacheDir, 'root');

const mark = join(cacheDir, 'complete');

/** Whether it was set up by these very files. */
export function isSetUp(): boolean {
  return existsSync(mark) && readFileSync(mark, 'utf8') === recipe();
}

export function markSetUp(): void {
  writeFileSync(mark, recipe());
}

/** Changes whenever what makes the root does. */
function recipe(): string {
  const hash = createHash('sha256');
  for (const file of globSync(['setup*.{ts,sh}', 'guest-init.sh'], { cwd: import.meta.dirname }).toSorted())
    hash.update(readFileSync(join(import.meta.dirname, file)));
  return hash.digest('hex');
}
