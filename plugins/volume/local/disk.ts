import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { conflict, invalidArgument, messageOf, type Mount } from '@gantry/sdk';
import { syncFileSystem, syncfsAside } from '@gantry/sdk/linux';
import { giveTo } from './folder.ts';
import type { Owner } from './options.ts';
import { called, copyTree, missingProgram } from './programs.ts';

/** A limited volume where the file system cannot limit folders: an ext4 in a sparse file. Its root has more in it than the user's files, so they are one below. */

const leastBytes = 8 << 20;
const inside = 'data';

/** Why there can be none here; undefined: there can. */
export function missingForDisks(): string | undefined {
  const missing = missingProgram('mkfs.ext4', 'e2fsck', 'resize2fs');
  return missing;
}

interface DiskOptions {
  readonly sizeBytes: number;
  readonly owner: Owner;
  /** A folder whose content, owner and mode it begins with. */
  readonly from?: string;
  readonly signal: AbortSignal;
}

export async function makeDisk(folder: string, { sizeBytes, owner, from, signal }: DiskOptions): Promise<void> {
  if (sizeBytes < leastBytes) throw invalidArgument(`option size: a volume with a limit has at least ${leastBytes} bytes here`);
  const template = join(folder, 'template');
  const file = join(folder, 'disk.img');
  mkdirSync(join(template, inside), { recursive: true });
  if (from === undefined) giveTo(join(template, inside), owner);
  else await copyTree(from, join(template, inside), signal);
  const opened = openSync(file, 'wx', 0o600);
  try {
    ftruncateSync(opened, sizeBytes);
    await called('mkfs.ext4', ['-q', '-F', '-m', '0', '-E', 'nodiscard', '-d', template, file], signal);
    await syncfsAside(opened);
  } catch (error) {
    if (from === undefined || signal.aborted) throw error;
    throw conflict(`what is copied does not fit into ${sizeBytes} bytes: ${messageOf(error)}`, { cause: error });
  } finally {
    closeSync(opened);
    rmSync(template, { recursive: true, force: true });
  }
}

export function diskMounts(path: string, { readOnly }: { readonly readOnly: boolean }): readonly Mount[] {
  const limits = readOnly ? { readOnly: true } : {};
  return [
    { type: 'ext4', source: { data: path }, ...limits },
    { type: 'bind', source: { mount: 0, subpath: inside }, ...limits },
  ];
}

/** To be called when it is not mounted. `conflict` when what is in it needs more. Durable when it resolves; after a crash it has the old size or the new one. */
export async function resizeDisk(file: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  if (sizeBytes < leastBytes) throw invalidArgument(`a volume with a limit has at least ${leastBytes} bytes here, not ${sizeBytes}`);
  const before = statSync(file).size;
  await called('e2fsck', ['-f', '-y', file], signal, [0, 1]);
  if (sizeBytes > before) truncateSync(file, sizeBytes);
  try {
    await called('resize2fs', [file, `${Math.floor(sizeBytes / 1024)}K`], signal);
  } catch (error) {
    if (sizeBytes >= before || signal.aborted) throw error;
    throw conflict(`its content does not fit into ${sizeBytes} bytes: ${messageOf(error)}`, { cause: error });
  }
  if (sizeBytes < before) truncateSync(file, sizeBytes);
  await syncFileSystem(file);
}
