import { mkdirSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Abortable, Attachment, Logger } from '@gantry/sdk';
import type { GraphDriver } from '@gantry/sdk/graph';
import type { IdMaps } from '@gantry/sdk/linux';
import { driverContext, type Drivers, type Grants } from '../drivers/index.ts';
import { dataPathOf, dataPathsOf, type Helpers, isMounted, makeMounts, unmount } from '../execute/index.ts';
import { shortRandom, undoSignal } from '../support/index.ts';
import { letIn, makeMappedMounts } from './mapped-mounts.ts';
import type { Rootfs } from './types.ts';

export interface Snapshot {
  readonly driver: string;
  readonly key: string;
  /** Keys of the ancestors, nearest first. */
  readonly chain: readonly string[];
}
export interface ViewsParts {
  readonly drivers: Drivers;
  readonly execRoot: string;
  readonly helpers?: Helpers | undefined;
  readonly log: Logger;
}
export interface ViewOptions extends Abortable {
  readonly readOnly: boolean;
  readonly view: 'merged' | 'changes';
  /** What is written need not survive a power cut, or is synced by other means. */
  readonly ephemeral?: boolean;
  /** Shows owners by these maps: then it is a mount of its own. */
  readonly idMaps?: IdMaps | undefined;
}

/** Trees, the nearest first, of which each hides what is below it as overlayfs has it. */
export interface Stack extends AsyncDisposable {
  readonly paths: readonly string[];
}

/** Snapshots made visible for a while, and the driver calls around it. */
export class Views {
  readonly #drivers: Drivers;
  readonly #folder: string;
  readonly #log: Logger;
  readonly #helpers: Helpers | undefined;

  constructor({ drivers, execRoot, helpers, log }: ViewsParts) {
    this.#drivers = drivers;
    this.#helpers = helpers;
    this.#folder = join(execRoot, 'layers');
    this.#log = log;
  }

  driver(name: string): Promise<GraphDriver> {
    return this.#drivers.get('graph', name);
  }

  context(signal?: AbortSignal): ReturnType<typeof driverContext> {
    return driverContext(this.#log, signal);
  }

  dataDir(driver: string): string {
    return this.grants(driver).dataDir;
  }

  grants(driver: string): Grants {
    return this.#drivers.grants('graph', driver);
  }

  async attach(
    snapshot: Snapshot,
    { attachmentId, readOnly, view, ephemeral = false, signal }: ViewOptions & { readonly attachmentId: string },
  ): Promise<Attachment> {
    const driver = await this.driver(snapshot.driver);
    const { key, chain } = snapshot;
    const request = { key, attachmentId, chain, readOnly, view, ...(ephemeral ? { ephemeral } : {}) };
    const { attachment } = await driver.attach(request, this.context(signal));
    return attachment;
  }

  async detach(
    { driver, key }: Snapshot,
    { attachmentId, context }: { readonly attachmentId: string; readonly context?: Attachment['context'] | undefined },
  ): Promise<void> {
    const request = { key, attachmentId, ...(context === undefined ? {} : { context }) };
    await (await this.driver(driver)).detach(request, this.context(undoSignal()));
  }

  /** Mounts an attachment at a folder, which is made; with owners shown by maps when there are any. Who is root by these may walk there, unless it `isHidden`. */
  async mountAt(
    target: string,
    { mounts }: Attachment,
    {
      driver,
      idMaps,
      isHidden = false,
      signal,
    }: { readonly driver: string; readonly idMaps?: IdMaps | undefined; readonly isHidden?: boolean } & Abortable,
  ): Promise<void> {
    // Programs with set-uid bits lie below: nobody else may come here (CVE-2021-41103).
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    mkdirSync(target, { recursive: true, mode: 0o711 });
    const request = { target, mounts, grants: this.#drivers.grants('graph', driver), helpers: this.#helpers, signal };
    letIn(target, isHidden ? undefined : idMaps);
    if (idMaps === undefined) return makeMounts(request);
    await makeMappedMounts(request, { driver, idMaps, place: join(this.#folder, `mapped-${shortRandom()}`) });
  }

  /** Whether something is mounted there that can be used: the helper of a mount may have ended. */
  isShownAt(target: string): boolean {
    return isMounted(target) && this.brokenAt(target) === undefined;
  }

  brokenAt(target: string): string | undefined {
    return this.#helpers?.brokenAt(target);
  }

  unmount(target: string): Promise<void> {
    return unmount(target, this.#helpers);
  }

  /** The snapshot's tree until it is disposed: a mount of its own, or the folder itself when the driver only describes a folder. */
  async show(snapshot: Snapshot, options: ViewOptions): Promise<Rootfs> {
    const { paths, ...shown } = await this.#show(snapshot, options, (mounts, grants) => {
      const path = dataPathOf(mounts, grants);
      return path === undefined ? undefined : [path];
    });
    return { path: paths[0] ?? '', ...shown };
  }

  /** The same, or the folders whose stack it is, the nearest first, when the driver describes those: then nothing is mounted. */
  stack(snapshot: Snapshot, options: Abortable): Promise<Stack> {
    return this.#show(snapshot, { ...options, readOnly: true, view: 'merged' }, dataPathsOf);
  }

  async #show(snapshot: Snapshot, options: ViewOptions, foldersOf: typeof dataPathsOf): Promise<Stack> {
    const attachmentId = `view-${shortRandom()}`;
    await using undo = new AsyncDisposableStack();
    const attachment = await this.attach(snapshot, { ...options, attachmentId });
    undo.defer(() => this.detach(snapshot, { attachmentId, context: attachment.context }));
    const { idMaps, signal } = options;
    const folders = idMaps === undefined ? foldersOf(attachment.mounts, this.#drivers.grants('graph', snapshot.driver)) : undefined;
    if (folders !== undefined) return stack(folders, undo.move());
    const target = join(this.#folder, attachmentId);
    undo.defer(() => rmdirSync(target));
    await this.mountAt(target, attachment, { driver: snapshot.driver, idMaps, isHidden: true, signal });
    undo.defer(() => this.unmount(target));
    return stack([target], undo.move());
  }
}

function stack(paths: readonly string[], undo: AsyncDisposableStack): Stack {
  return { paths, [Symbol.asyncDispose]: () => undo.disposeAsync() };
}
