import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Abortable, type Attachment, type Logger, messageOf } from '@gantry/sdk';
import type { Grants } from '../drivers/index.ts';
import { checkShown, dataPathOf, type Helpers, isMounted, makeMounts, unmount } from '../execute/index.ts';
import type { VolumeRows } from '../metadata/index.ts';
import { failpoint } from '../support/index.ts';
import type { AttachmentDocument, AttachmentRow } from './attachment-row.ts';
import { isPlain } from './described.ts';
import { hashOfName } from './names.ts';

export interface MountPointsOptions {
  readonly rows: VolumeRows<unknown, AttachmentDocument>;
  /** Mount points are made below it. */
  readonly root: string;
  readonly helpers: Helpers | undefined;
  readonly log: Logger;
}
interface Showing extends Abortable {
  readonly name: string;
  readonly attachmentId: string;
  readonly grants: Grants;
}

/**
 * Where volumes are mounted. One that is a plain folder of its driver's is used where it is; any other is mounted below the engine's own
 * folder, once for all its users when the driver allows it. Callers hold the volume's lock.
 */
export class MountPoints {
  readonly #options: MountPointsOptions;

  constructor(options: MountPointsOptions) {
    this.#options = options;
  }

  /** Where the engine would mount it. */
  of(name: string): string {
    return join(this.#options.root, hashOfName(name));
  }

  isThere({ path, isMounted: needsMount, broken }: AttachmentDocument): boolean {
    return path !== undefined && broken === undefined && (!needsMount || isMounted(path));
  }

  /** Why nobody sees anything at this path: the helper of its mount ended. Undefined: it works, as far as is known. */
  brokenAt(path: string): string | undefined {
    return this.#options.helpers?.brokenAt(path);
  }

  /** Where the volume is, once that is known to answer. A failure leaves nothing mounted. */
  async show(
    attachment: Attachment,
    { name, attachmentId, grants, signal }: Showing,
  ): Promise<Required<Pick<AttachmentDocument, 'path' | 'isMounted'>>> {
    const folder = isPlain(attachment.mounts) ? dataPathOf(attachment.mounts, grants) : undefined;
    if (folder !== undefined) {
      await checkShown(folder, grants);
      return { path: folder, isMounted: false };
    }
    const path = this.#placeOf(name, attachmentId, { isShared: attachment.shareable === true });
    const { helpers } = this.#options;
    if (isMounted(path) && this.brokenAt(path) !== undefined) await unmount(path, helpers);
    // Nobody recorded it: an engine that died was about to, and may have made a part of it.
    if (isMounted(path) && !this.#isRecorded(name, path)) await unmount(path, helpers);
    if (isMounted(path)) return { path, isMounted: true };
    mkdirSync(path, { recursive: true, mode: 0o700 });
    failpoint('volume.mount.make');
    await makeMounts({ target: path, mounts: attachment.mounts, grants, restricted: true, helpers, signal });
    failpoint('volume.mount.made');
    try {
      await checkShown(path, grants);
    } catch (error) {
      await unmount(path, helpers);
      throw error;
    }
    return { path, isMounted: true };
  }

  /** The last user of a mount takes it away. Of one that was being made when the engine died it is not known which one it was to be. */
  async hideAfter({ containerId, name, document: { attachmentId, path, isMounted: needsUnmount } }: AttachmentRow): Promise<void> {
    if (path !== undefined && !needsUnmount) return;
    const others = this.#options.rows.attachments(name).filter((other) => other.containerId !== containerId);
    const places = path === undefined ? [true, false].map((isShared) => this.#placeOf(name, attachmentId, { isShared })) : [path];
    for (const place of places) if (!others.some(({ document }) => document.path === place)) await this.#unmount(name, place);
  }

  #isRecorded(name: string, path: string): boolean {
    return this.#options.rows.attachments(name).some(({ document }) => document.isMounted && document.path === path);
  }

  #placeOf(name: string, attachmentId: string, { isShared }: { readonly isShared: boolean }): string {
    return isShared ? this.of(name) : `${this.of(name)}-${attachmentId}`;
  }

  async #unmount(name: string, path: string): Promise<void> {
    await unmount(path, this.#options.helpers);
    if (!existsSync(path)) return;
    try {
      rmdirSync(path);
    } catch (error) {
      this.#options.log.warn({ volume: name, path, error: messageOf(error) }, 'mount point of a volume stays');
    }
  }
}
