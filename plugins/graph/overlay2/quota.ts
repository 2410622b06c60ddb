import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '@gantry/sdk/linux';

/** How much may be written to a snapshot, kept in its folder for whoever attaches it. */
export function writeQuota(folder: string, quotaBytes: number): void {
  writeFileSync(join(folder, 'quota.new'), String(quotaBytes));
  renameSync(join(folder, 'quota.new'), join(folder, 'quota'));
}

/** Undefined when none was ever set. */
export function readQuota(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, 'quota'), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
