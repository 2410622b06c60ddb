import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf, conflict, invalidArgument, messageOf, type Mount } from '@gantry/sdk';
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

/** How much room the file system in it has, as it says itself: between the steps of a change of size the file has another size. */
export function diskBytesOf(file: string): number {
  const superblock = Buffer.alloc(1024);
  const opened = openSync(file, 'r');
  try {
    readSync(opened, superblock, { position: 1024 });
  } finally {
    closeSync(opened);
  }
  // s_blocks_count_lo and _hi, s_log_block_size of fs/ext4/ext4.h.
  const blocks = superblock.readUInt32LE(4) + superblock.readUInt32LE(0x150) * 2 ** 32;
  return blocks * (1024 << superblock.readUInt32LE(24));
}

/** Gives the disk a new size. `conflict` when it is in use, or what is in it needs more. Durable when it resolves; after a crash, once `mendDisk` was called, it has the old size or the new one. */
export async function resizeDisk(file: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  if (sizeBytes < leastBytes) throw invalidArgument(`a volume with a limit has at least ${leastBytes} bytes here, not ${sizeBytes}`);
  if (isLooped(file)) throw conflict('it is mounted: it cannot be resized now', { reason: 'VOLUME_BUSY' });
  await mendDisk(file, signal);
  const before = diskBytesOf(file);
  if (sizeBytes > before) await grow(file, sizeBytes, signal);
  else if (sizeBytes < before) await shrink(file, sizeBytes, signal);
}

/** To be called before a disk is used: ends what a crash left of a change of its size. */
export async function mendDisk(file: string, signal: AbortSignal): Promise<void> {
  rmSync(smallerOf(file), { force: true });
  if (!existsSync(markOf(file))) return;
  await check(file, signal);
  await syncFileSystem(file);
  rmSync(markOf(file));
}

/** In place: only the superblock and the groups' descriptors change, which e2fsck mends when they are half written. */
async function grow(file: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  writeFileSync(markOf(file), '');
  await syncFileSystem(file);
  truncateSync(file, Math.max(sizeBytes, statSync(file).size));
  await check(file, signal);
  await called('resize2fs', [file, inKibibytes(sizeBytes)], signal);
  await syncFileSystem(file);
  rmSync(markOf(file));
}

/** On a copy: files move, and nothing mends it when they are between two places. */
async function shrink(file: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  const smaller = smallerOf(file);
  try {
    await copyTree(file, smaller, signal);
    await check(smaller, signal);
    await called('resize2fs', [smaller, inKibibytes(sizeBytes)], signal).catch((error: unknown) => {
      if (signal.aborted || codeOf(error) === 'exhausted') throw error;
      throw conflict(`its content does not fit into ${sizeBytes} bytes: ${messageOf(error)}`, { cause: error });
    });
    truncateSync(smaller, sizeBytes);
    await syncFileSystem(smaller);
    renameSync(smaller, file);
    await syncFileSystem(file);
  } finally {
    rmSync(smaller, { force: true });
  }
}

async function check(file: string, signal: AbortSignal): Promise<void> {
  await called('e2fsck', ['-f', '-y', file], signal, [0, 1]);
}

/** Whether it is mounted somewhere, by whomever: an engine that was started anew does not know all attachments of the one before. */
function isLooped(file: string): boolean {
  const devices = existsSync('/sys/block') ? readdirSync('/sys/block') : [];
  return devices.some((device) => {
    const path = `/sys/block/${device}/loop/backing_file`;
    try {
      return existsSync(path) && readFileSync(path, 'utf8').trimEnd() === file;
    } catch {
      return false; // It was detached meanwhile.
    }
  });
}

function markOf(file: string): string {
  return `${file}.resizing`;
}

function smallerOf(file: string): string {
  return `${file}.smaller`;
}

function inKibibytes(sizeBytes: number): string {
  return `${Math.floor(sizeBytes / 1024)}K`;
}
