import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@gantry/sdk';
import { mountOverlay, umount2, unmountFlags } from '@gantry/sdk/linux';

/** Mounts a small overlay with two lower folders in `root` and takes it away again. */
export function probeOverlay(root: string): { readonly usable: boolean; readonly reason?: string } {
  const folder = mkdtempSync(join(root, '#probe-'));
  try {
    const [first, second, upper, work, target] = ['first', 'second', 'upper', 'work', 'target'].map((name) => join(folder, name));
    if (!first || !second || !upper || !work || !target) return { usable: false };
    for (const path of [first, second, upper, work, target]) mkdirSync(path);
    mountOverlay({ lower: [first, second], upper, work, target });
    umount2(target, unmountFlags.detach);
    return { usable: true };
  } catch (error) {
    return { usable: false, reason: messageOf(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
