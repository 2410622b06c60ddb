import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { alreadyExists, conflict, fromErrno, invalidArgument, notFound } from '../errors.ts';
import { isErrno, readMountinfo, run } from '../linux/index.ts';
import type { AttachRequest, CommitRequest, PrepareRequest, RemoveRequest, Snapshot } from './contract.ts';
import type { Family } from './family.ts';
import { familyIn, isKey, keysIn, parentsIn } from './folder-names.ts';

export interface SnapshotFoldersOptions {
  /** Deletes a snapshot's folder, rm(1) unless given. What is still there when it fails is tried again at the next start. */
  readonly erase?: (folder: string) => Promise<void>;
  /** Whether the kernel shows what the folder stands for; by default, whether it shows what is below it. */
  readonly isMounted?: (folder: string) => boolean;
}

/**
 * Snapshots as folders, for drivers that keep each in one folder of a local file system: names checked, half-made ones never seen,
 * repeated requests recognised, parents kept as long as they have children, deletion in the background. What is inside the folder is the
 * driver's business, except for two files: `parents` (the chain it lies on) and `prepared` (there while it may be written).
 */
export class SnapshotFolders {
  readonly #root: string;
  readonly #erase: (folder: string) => Promise<void>;
  /** Nothing but files and folders is in it. */
  readonly #isPlain: boolean;
  readonly #isMounted: (folder: string) => boolean;
  /** Who attached what for writing. */
  readonly #writers = new Map<string, string>();
  #family: Promise<Family> | undefined;
  readonly #preparing = new Map<string, Promise<void>>();
  #trash: Promise<void> = Promise.resolve();

  /** What crashes left half made or half deleted is removed in the background. */
  constructor(root: string, { erase, isMounted = isShown }: SnapshotFoldersOptions = {}) {
    this.#root = root;
    this.#erase = erase ?? deleteTree;
    this.#isPlain = erase === undefined;
    this.#isMounted = isMounted;
    mkdirSync(root, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(root)) if (name.startsWith('#')) this.#delete(join(root, name));
  }

  path(key: string): string {
    return join(this.#root, checkedKey(key));
  }

  /** The folder of a snapshot that is there, or `not_found`. */
  existing(key: string): string {
    const path = this.path(key);
    if (!existsSync(path)) throw notFound(`snapshot ${key} does not exist`);
    return path;
  }

  /** The folder of one that may be written, or `conflict`: what is committed never changes. */
  writable(key: string): string {
    if (this.isCommitted(key)) throw conflict(`snapshot ${key} is committed: nothing more is written to it`);
    return this.existing(key);
  }

  isCommitted(key: string): boolean {
    return !existsSync(join(this.existing(key), 'prepared'));
  }

  /**
   * Makes the snapshot's folder and lets `fill` make what is in it; it appears whole or not at all. A second call for the same key waits: a
   * caller that gave up on the first may ask again before `fill` has noticed.
   */
  prepare(request: PrepareRequest, fill: (folder: string) => Promise<void> | void): Promise<void> {
    const before = this.#preparing.get(request.key) ?? Promise.resolve();
    const made = before.catch(() => {}).then(() => this.#prepare(request, fill));
    this.#preparing.set(request.key, made);
    const forget = (): void => void (this.#preparing.get(request.key) === made && this.#preparing.delete(request.key));
    made.then(forget, forget);
    return made;
  }

  async #prepare({ key, chain }: PrepareRequest, fill: (folder: string) => Promise<void> | void): Promise<void> {
    const path = this.path(key);
    if (existsSync(path)) {
      if (parentsIn(path)?.join() === chain.join()) return;
      throw alreadyExists(`snapshot ${key} exists with other parents`);
    }
    let making: string | undefined;
    try {
      this.#checkParents(key, chain);
      making = mkdtempSync(join(this.#root, `#new-${key}-`));
      writeFileSync(join(making, 'parents'), chain.join('\n'));
      writeFileSync(join(making, 'prepared'), '');
      await fill(making);
      this.#checkParents(key, chain);
      renameSync(making, path);
      await this.#tell((family) => family.add(key, chain[0]));
    } catch (error) {
      if (making !== undefined) this.#delete(making);
      throw fromErrno(error, `prepare snapshot ${key}`);
    }
  }

  /** To be asked at each attach: `not_found` when it or a parent is not there, `conflict` for writing what is committed or what another attachment writes to. */
  checkAttach({ key, chain, readOnly, attachmentId }: AttachRequest): void {
    if (this.isCommitted(key) && !readOnly) throw conflict(`snapshot ${key} is committed: it can only be attached read-only`);
    for (const parent of chain) this.existing(parent);
    if (readOnly) return;
    const writer = this.#writers.get(key);
    // What was described and never mounted, or is mounted no more, keeps nobody out.
    if (writer !== undefined && writer !== attachmentId && this.#isMounted(this.path(key)))
      throw conflict(`snapshot ${key} is attached for writing already, by ${writer}`);
    this.#writers.set(key, attachmentId);
  }

  detach({ key, attachmentId }: Pick<AttachRequest, 'key' | 'attachmentId'>): void {
    if (this.#writers.get(key) === attachmentId) this.#writers.delete(key);
  }

  /** Whether the kernel shows the snapshot, or something that lies on it. */
  isMounted(key: string): boolean {
    return this.#isMounted(this.path(key));
  }

  /** Durable when it resolves; `freeze` comes before anything tells that it is committed. */
  async commit({ key, name, chain }: CommitRequest, freeze: (folder: string) => Promise<void> = async () => {}): Promise<void> {
    const from = this.path(key);
    const to = this.path(name);
    if (!existsSync(from)) {
      if (existsSync(to) && this.isCommitted(name)) return;
      throw notFound(`snapshot ${key} does not exist`);
    }
    if (from !== to && existsSync(to)) throw alreadyExists(`snapshot ${name} exists already`);
    try {
      await freeze(from);
      this.#writeParents(from, chain);
      rmSync(join(from, 'prepared'), { force: true });
      await syncFolder(from);
      if (from !== to) renameSync(from, to);
      await this.#tell((family) => {
        family.remove(key);
        family.add(name, chain[0]);
      });
      // Its own name is on the disk since the engine's syncfs.
      if (from !== to) await syncFolder(this.#root);
    } catch (error) {
      throw fromErrno(error, `commit snapshot ${key}`);
    }
  }

  /** Gone for every caller when it resolves; the disk space follows. `conflict` while the kernel shows it mounted, or others lie on it and are not to stay. */
  async remove({ key, keepChildren = false }: RemoveRequest): Promise<void> {
    const path = this.path(key);
    if (!existsSync(path)) return;
    this.#family ??= familyIn(this.#root);
    const family = await this.#family;
    if (!existsSync(path)) return;
    const [child] = family.childrenOf(key);
    if (child !== undefined && !keepChildren) throw conflict(`snapshot ${key} is the parent of ${child}`);
    if (this.#isMounted(path)) throw conflict(`snapshot ${key} is mounted`);
    // One of the same name may still be about to go.
    const gone = join(this.#root, `#gone-${key}-${randomBytes(4).toString('hex')}`);
    try {
      renameSync(path, gone);
    } catch (error) {
      if (!isErrno(error, 'ENOSPC', 'EDQUOT')) throw fromErrno(error, `remove snapshot ${key}`);
      // btrfs keeps room for deleting, not for renaming.
      await this.#eraseNow(key, path);
    }
    family.remove(key);
    this.#writers.delete(key);
    if (existsSync(gone) && !(this.#isPlain && removeEmpty(gone))) this.#delete(gone);
  }

  list(): readonly Snapshot[] {
    return keysIn(this.#root).map((key) => ({ key, committed: this.isCommitted(key) }));
  }

  /** Resolves when nothing is being deleted any more. */
  async settled(): Promise<void> {
    await this.#trash;
  }

  #checkParents(key: string, chain: readonly string[]): void {
    for (const parent of chain) {
      if (!existsSync(this.path(parent))) throw notFound(`parent ${parent} of snapshot ${key} does not exist`);
    }
  }

  /** One that was prepared before its parents were known gets them now. */
  #writeParents(folder: string, chain: readonly string[]): void {
    if (parentsIn(folder)?.join() === chain.join()) return;
    writeFileSync(join(folder, 'parents.new'), chain.join('\n'));
    renameSync(join(folder, 'parents.new'), join(folder, 'parents'));
  }

  /** Nobody has asked yet: who does reads the folders. */
  async #tell(change: (family: Family) => void): Promise<void> {
    if (this.#family !== undefined) change(await this.#family);
  }

  #delete(path: string): void {
    this.#trash = this.#trash.then(() => this.#erase(path)).catch(() => undefined);
  }

  async #eraseNow(key: string, path: string): Promise<void> {
    try {
      await this.#erase(path);
    } catch (error) {
      throw fromErrno(error, `remove snapshot ${key}`);
    }
  }
}

/** rm(1): deleting is all system calls, and in this process they would wait behind each other in its few threads. */
async function deleteTree(path: string): Promise<void> {
  if (existsSync(path)) await run({ file: '/bin/rm', argv: ['rm', '-rf', '--', path], env: {} });
}

function checkedKey(key: string): string {
  if (!isKey(key)) throw invalidArgument(`snapshot key ${JSON.stringify(key.slice(0, 100))}; allowed are 1 to 64 of a-z 0-9 . _ -`);
  return key;
}

/** A bind mount tells the folder from its own disk's root on, an overlay tells the paths it was given: both end alike. */
function isShown(path: string): boolean {
  const part = `/${basename(dirname(path))}/${basename(path)}/`;
  return readMountinfo().some(({ root, superOptions }) => root.includes(part) || superOptions.includes(part));
}

/** Most containers change nothing: their folders are empty, and a few calls are cheaper than a process. */
function removeEmpty(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inside = join(path, entry.name);
      if (!entry.isDirectory()) unlinkSync(inside);
      else {
        for (const name of readdirSync(inside)) rmdirSync(join(inside, name));
        rmdirSync(inside);
      }
    }
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
