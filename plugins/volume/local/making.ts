import { closeSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { invalidArgument } from '@gantry/sdk';
import { projectUse, type ProjectUse, syncFileSystem } from '@gantry/sdk/linux';
import { diskBytesOf, makeDisk, mendDisk, missingForDisks, resizeDisk } from './disk.ts';
import { copyFolder, limitFolder, makeFolder } from './folder.ts';
import type { Owner } from './options.ts';
import { copyTree } from './programs.ts';
import type { Shape } from './store.ts';

export interface Making {
  /** The volume's, which is empty. */
  readonly folder: string;
  readonly sizeBytes: number | undefined;
  /** An id that no other volume has, for a file system that can limit folders. */
  readonly projectId: () => number;
  readonly signal: AbortSignal;
}
/** What a copy is made of. */
export interface Source {
  readonly dataPath: string;
  readonly diskFile: string;
  readonly shape: Shape;
}

/** An empty volume: a folder, which the file system limits if it is to have a size, or a disk in a file where it cannot. */
export async function makeEmpty(making: Making, owner: Owner): Promise<Shape> {
  const { folder, sizeBytes, signal } = making;
  await makeFolder(folder, owner);
  if (sizeBytes === undefined) return {};
  const limited = limit(making, sizeBytes);
  if (limited !== undefined) return limited;
  await makeDisk(folder, { sizeBytes, owner, signal });
  return { diskBytes: sizeBytes };
}

/** A volume with what the source has now, on the disk when it resolves. Without a size it has the source's. */
export async function makeCopy(making: Making, { dataPath, diskFile, shape }: Source): Promise<Shape> {
  const { folder, sizeBytes = limitOf({ dataPath, shape })?.limitBytes, signal } = making;
  if (shape.diskBytes !== undefined) return copyDisk(diskFile, making);
  if (sizeBytes === undefined) {
    await copyFolder(dataPath, folder, { signal });
    return {};
  }
  await makeFolder(folder, {});
  const limited = limit(making, sizeBytes);
  if (limited === undefined) {
    await makeDisk(folder, { sizeBytes, owner: {}, from: dataPath, signal });
    return { diskBytes: sizeBytes };
  }
  await copyTree(dataPath, join(folder, '_data'), signal);
  await syncFileSystem(folder);
  return limited;
}

/** What a folder with a limit holds and may hold; undefined: it has none. */
export function limitOf({ dataPath, shape: { projectId } }: Pick<Source, 'dataPath' | 'shape'>): ProjectUse | undefined {
  if (projectId === undefined) return undefined;
  const folder = openSync(dataPath, 'r');
  try {
    return projectUse(folder, projectId);
  } finally {
    closeSync(folder);
  }
}

async function copyDisk(from: string, { folder, sizeBytes, signal }: Making): Promise<Shape> {
  const file = join(folder, 'disk.img');
  await mendDisk(from, signal);
  await copyTree(from, file, signal);
  if (sizeBytes !== undefined) await resizeDisk(file, sizeBytes, signal);
  await syncFileSystem(file);
  return { diskBytes: sizeBytes ?? diskBytesOf(file) };
}

/** Undefined: it has to be a disk, and the folder is gone. */
function limit({ folder, projectId }: Making, sizeBytes: number): Shape | undefined {
  const path = join(folder, '_data');
  const id = projectId();
  if (limitFolder(path, id, sizeBytes)) return { projectId: id };
  rmSync(path, { recursive: true });
  const reason = missingForDisks();
  if (reason === undefined) return undefined;
  throw invalidArgument('quota size requested but no quota support: neither the file system nor a disk in a file can limit a volume here', {
    hint: `the one needs project quotas, the other ${reason}`,
  });
}
