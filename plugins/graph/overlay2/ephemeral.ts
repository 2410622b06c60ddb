import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataLoss } from '@gantry/sdk';

/**
 * Folders that were mounted with `volatile`. The kernel leaves a mark and refuses to mount them again (overlayfs.rst, "Volatile mount"), since
 * it cannot know whether the machine went down meanwhile; the number of this boot beside them tells.
 */
export function noteEphemeral(folder: string): void {
  const note = join(folder, noteName);
  if (!existsSync(note) || readFileSync(note, 'utf8') !== bootId()) writeFileSync(note, bootId());
}

/** Makes a folder that is not mounted mountable again; `data_loss` when what was written may never have reached the disk. */
export function forgetEphemeral(folder: string, { key, isMounted }: { readonly key: string; readonly isMounted: () => boolean }): void {
  const mark = join(folder, 'work', 'work', 'incompat');
  if (!existsSync(join(mark, 'volatile')) || isMounted()) return;
  if (attempt(() => readFileSync(join(folder, noteName), 'utf8')) !== bootId()) {
    throw dataLoss(`snapshot ${key} was written to without waiting for the disk, and the machine went down`, {
      hint: 'what is in it may be damaged: remove what uses it',
    });
  }
  rmSync(mark, { recursive: true, force: true });
}

const noteName = 'ephemeral';
let boot: string | undefined;

function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

function attempt(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
