import { randomInt } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, statfsSync } from 'node:fs';
import { conflict, fromErrno, invalidArgument, unavailable } from '../errors.ts';
import { fileSystemMagic, isErrno, limitProject, projectOf, projectQuotaState, projectUse, setProject } from '../linux/index.ts';
import type { Mount, Path } from '../types/index.ts';
import { pathOfData } from './places.ts';
import type { MountGrants } from './types.ts';

/**
 * Sets what a described mount says may be written through it, as a project quota on its folders. They must be empty or have had a limit
 * before: files that are there already would count for nothing. `unavailable` where the file system does not keep to such limits.
 */
export function limitMount(described: Mount, grants: MountGrants): void {
  const { quotaBytes } = described;
  if (quotaBytes === undefined) return;
  if (!Number.isSafeInteger(quotaBytes) || quotaBytes < 0) throw invalidArgument(`a limit of ${quotaBytes} bytes`);
  using folders = openFolders(described, grants);
  const project = folders.project();
  if (project === 0 && quotaBytes === 0) return;
  const why = whyNoProjectQuota(grants.dataDir);
  if (why !== undefined) throw unavailable(why.message, { hint: why.hint });
  try {
    folders.limit(project === 0 ? folders.unusedProject() : project, quotaBytes);
  } catch (error) {
    throw fromErrno(error, `limit what may be written below ${grants.dataDir}`);
  }
}

/** Forgets the limits of described mounts, before their folders go. What has none is left alone. */
export function dropLimits(mounts: readonly Mount[], grants: MountGrants): void {
  for (const described of mounts) {
    if (described.quotaBytes === undefined) continue;
    using folders = openFolders(described, grants);
    const project = folders.project();
    if (project !== 0 && whyNoProjectQuota(grants.dataDir) === undefined) folders.drop(project);
  }
}

/** Why no limit can be set on folders of this file system, and what would help; undefined when it can. */
export function whyNoProjectQuota(path: string): { readonly message: string; readonly hint: string } | undefined {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const state = projectQuotaState(folder);
    if (state === 'enforced') return undefined;
    const what = state === 'counted' ? 'only counts what projects use' : 'has no project quotas';
    return { message: `size limits need project quotas, and the file system of ${path} ${what}`, hint: hintFor(statfsSync(path).type) };
  } catch (error) {
    throw fromErrno(error, `look for project quotas at ${path}`);
  } finally {
    closeSync(folder);
  }
}

function hintFor(type: number): string {
  if (type === fileSystemMagic.xfs) return 'mount it with the option pquota (the root file system: rootflags=pquota for the kernel)';
  if (type === fileSystemMagic.ext4)
    return 'unmounted, tune2fs -O project,quota -Q prjquota DEVICE; then mount it with the option prjquota (the kernel needs CONFIG_QFMT_V2)';
  return 'keep the data root on xfs mounted with pquota, on ext4 mounted with prjquota, or use a storage driver that limits by itself (btrfs, zfs)';
}

function openFolders(described: Mount, grants: MountGrants): Folders {
  return new Folders(writtenTo(described).map((place) => pathOfData(place, grants)));
}

function writtenTo({ type, overlay, source, readOnly }: Mount): readonly Path[] {
  if (readOnly !== true && type === 'bind' && 'data' in source) return [source];
  if (readOnly !== true && type === 'overlay' && overlay?.upper !== undefined && overlay.work !== undefined)
    return [overlay.upper, overlay.work];
  throw invalidArgument('only what is written through an overlay, or through a bind mount of a data folder, can be limited');
}

/** The folders of one mount, open. */
class Folders implements Disposable {
  readonly #paths: readonly string[];
  readonly #files: readonly number[];

  constructor(paths: readonly string[]) {
    this.#paths = paths;
    this.#files = paths.map((path) => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW));
  }

  /** The number they have in common; 0: none. */
  project(): number {
    const [first = 0, ...others] = this.#files.map((file) => projectIn(file));
    return others.every((other) => other === first) ? first : 0;
  }

  /** The file system itself knows which numbers are taken: no list of them could be out of date. */
  unusedProject(): number {
    for (let attempt = 0; attempt < 1000; attempt += 1) {
      const project = randomInt(1 << 24, 2 ** 31);
      const { limitBytes, usedBytes, inodes } = projectUse(this.#any, project);
      if (limitBytes === 0 && usedBytes === 0 && inodes === 0) return project;
    }
    throw unavailable('no number is free for a project quota');
  }

  /** The limit first: a number with a limit is taken, whatever happens next. */
  limit(project: number, quotaBytes: number): void {
    for (const [at, file] of this.#files.entries()) {
      const path = this.#paths[at] ?? '';
      if (projectIn(file) !== project && readdirSync(path).length > 0)
        throw conflict(`${path} holds files already, which no limit would count`);
    }
    limitProject(this.#any, project, quotaBytes);
    for (const file of this.#files) if (projectIn(file) !== project) setProject(file, project);
  }

  drop(project: number): void {
    limitProject(this.#any, project, 0);
  }

  get #any(): number {
    return this.#files[0] ?? -1;
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) closeSync(file);
  }
}

function projectIn(file: number): number {
  try {
    return projectOf(file);
  } catch (error) {
    if (isErrno(error, 'ENOTTY', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL')) return 0;
    throw error;
  }
}
