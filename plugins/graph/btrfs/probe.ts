import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@gantry/sdk';
import { createSubvolume, deleteSubvolume, fileSystemMagic, snapshotSubvolume } from '@gantry/sdk/linux';

/** Makes a subvolume and a snapshot of it in `root`, and deletes them. */
export async function probeBtrfs(root: string): Promise<{ readonly usable: boolean; readonly reason?: string }> {
  if (statfsSync(root).type !== fileSystemMagic.btrfs) return { usable: false, reason: `${root} is not on btrfs` };
  const folder = mkdtempSync(join(root, '#probe-'));
  try {
    await createSubvolume(folder, 'one');
    await snapshotSubvolume(join(folder, 'one'), folder, 'two');
    for (const name of ['one', 'two']) await deleteSubvolume(folder, name);
    return { usable: true };
  } catch (error) {
    return { usable: false, reason: messageOf(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
