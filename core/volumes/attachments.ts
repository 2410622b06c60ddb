import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Abortable, type Attachment, GantryError, internal, type Logger, messageOf, type Mount } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';
import type { Drivers, Grants } from '../drivers/index.ts';
import { type BrokenMount, checkShown, dataPathOf, type Helpers, isMounted, makeMounts, unmount } from '../execute/index.ts';
import type { VolumeAttachmentRow, VolumeRows } from '../metadata/index.ts';
import { failpoint, undoSignal } from '../support/index.ts';
import { BrokenViews } from './broken-views.ts';
import { hashOfName } from './names.ts';
import type { VolumeRecord } from './record.ts';
import type { VolumeRegistry } from './registry.ts';
import { hiddenInError } from './secrets.ts';

/** What the store keeps of one container's use of a volume. */
export interface AttachmentDocument {
  readonly attachmentId: string;
  /** As it was first asked for. */
  readonly readOnly?: boolean;
  readonly containerName?: string;
  readonly containerLabels?: Readonly<Record<string, string>>;
  readonly context?: Readonly<Record<string, string>>;
  /** The folder to bind; absent while it is being made. */
  readonly path?: string;
  /** The engine mounted `path`, and unmounts it after its last user. */
  readonly isMounted: boolean;
  /** Why what this container sees does not work any more: the helper of its mount ended. A new mount at `path` does not reach it. */
  readonly broken?: string;
}
type Row = VolumeAttachmentRow<AttachmentDocument>;

export interface AttachmentsOptions {
  readonly registry: VolumeRegistry;
  readonly rows: VolumeRows<unknown, AttachmentDocument>;
  readonly drivers: Drivers;
  /** Mount points are made below it. */
  readonly root: string;
  readonly helpers: Helpers | undefined;
  readonly log: Logger;
}
export interface Consumer {
  readonly id: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const longestContext = 4_096;
/** A container's end waits no longer for a driver to take note. */
const detachMs = 5_000;

/**
 * Which container uses which volume, and where it is mounted. A volume that is a plain folder of its driver's is used where it is; any
 * other is mounted below the engine's own folder, once for all its users when the driver allows it. Callers hold the volume's lock.
 */
export class Attachments {
  readonly #options: AttachmentsOptions;
  /** Made, or adopted, since this engine started. */
  readonly #live = new Set<string>();
  readonly #broken: BrokenViews;

  constructor(options: AttachmentsOptions) {
    this.#options = options;
    this.#broken = new BrokenViews(options.rows.attachments());
  }

  /** Where the engine would mount it. */
  mountPoint(name: string): string {
    return join(this.#options.root, hashOfName(name));
  }

  isUsed(name: string): boolean {
    return this.#options.rows.attachments(name).length > 0;
  }

  /** Used by this container already: the same path. A failure leaves nothing mounted and tells the driver. */
  async attach(record: VolumeRecord, consumer: Consumer, options: { readonly readOnly: boolean } & Abortable): Promise<string> {
    const { rows } = this.#options;
    const known = this.#row(consumer.id, record.name);
    if (known?.document.path !== undefined && this.#isThere(known.document)) return this.#keep(known);
    const attachmentId = `${consumer.id.slice(0, 12)}-${hashOfName(record.name).slice(0, 8)}`;
    rows.putAttachment({ containerId: consumer.id, name: record.name, document: { attachmentId, isMounted: false } });
    this.#live.add(keyOf(consumer.id, record.name));
    try {
      const document = await this.#make(record, consumer, { attachmentId, ...options });
      return this.#keep({ containerId: consumer.id, name: record.name, document });
    } catch (error) {
      await this.#release({ containerId: consumer.id, name: record.name, document: { attachmentId, isMounted: false } }, record.driver);
      throw error;
    }
  }

  /** Not attached: nothing to do. */
  async detach(containerId: string, name: string): Promise<void> {
    const row = this.#row(containerId, name);
    if (row === undefined) return;
    const driver = this.#options.registry.known(name)?.driver;
    await this.#unmountAfter(row);
    await this.#release(row, driver);
  }

  /** Answers the mounts among them whose helpers ended while no engine ran. */
  adopt(containerId: string, names: readonly string[]): readonly BrokenMount[] {
    for (const name of names) this.#live.add(keyOf(containerId, name));
    return names.flatMap((name) => {
      const path = this.#row(containerId, name)?.document.path;
      const reason = path === undefined ? undefined : this.#options.helpers?.brokenAt(path);
      return path === undefined || reason === undefined ? [] : [{ target: path, plugin: '', reason }];
    });
  }

  /** Why containers do not see their volumes any more, by name. */
  brokenOf(containerId: string): ReadonlyMap<string, string> {
    return this.#broken.of(containerId);
  }

  /** Which containers do not see this volume any more, and why. */
  brokenIn(name: string): ReadonlyMap<string, string> {
    return this.#broken.in(name);
  }

  /** Notes that the mount at, or above, this path shows nothing any more. Who used it did not know before: their rows. */
  markBroken({ target, reason }: BrokenMount): readonly Row[] {
    const { rows } = this.#options;
    const users = rows
      .attachments()
      .filter(
        ({ document: { path, broken } }) =>
          broken === undefined && path !== undefined && (target === path || target.startsWith(`${path}/`)),
      );
    for (const row of users) {
      const marked = { ...row, document: { ...row.document, broken: reason } };
      rows.putAttachment(marked);
      this.#broken.note(marked);
    }
    return users;
  }

  /** Mounts anew what is broken, where its users' containers will find it when they are started again. Nobody uses it any more: nothing to do. */
  async mend(record: VolumeRecord, path: string): Promise<void> {
    const row = this.#options.rows.attachments(record.name).find(({ document }) => document.path === path);
    if (row === undefined || this.#options.helpers?.brokenAt(path) === undefined) return;
    const { attachmentId, readOnly = false, containerName = '', containerLabels: labels = {} } = row.document;
    await this.#make(record, { id: row.containerId, name: containerName, labels }, { attachmentId, readOnly });
  }

  /** Users that are no more: the engine died while they were attached, or before it could tell the driver. */
  stale(): readonly Row[] {
    return this.#options.rows.attachments().filter(({ containerId, name }) => !this.#live.has(keyOf(containerId, name)));
  }

  async #make(
    record: VolumeRecord,
    consumer: Consumer,
    { attachmentId, readOnly, signal }: { readonly attachmentId: string; readonly readOnly: boolean } & Abortable,
  ): Promise<AttachmentDocument> {
    const { registry, drivers } = this.#options;
    const driver = await registry.driver(record.driver);
    const { labels = {} } = consumer;
    const { options, secrets } = registry.given(record);
    const { attachment } = await driver
      .attach(
        {
          name: record.name,
          attachmentId,
          readOnly,
          consumer: { containerId: consumer.id, containerName: consumer.name, labels },
          options,
          secrets,
        },
        registry.context({ signal }),
      )
      .catch((error: unknown) => {
        throw hiddenInError(error, secrets);
      });
    failpoint('volume.attach.described');
    const grants = drivers.grants('volume', record.driver);
    try {
      const made = await this.#show(record, attachment, {
        attachmentId,
        readOnly,
        containerName: consumer.name,
        containerLabels: labels,
        grants,
        signal,
      });
      grants.onMissing?.('volume', record.name, undefined);
      return made;
    } catch (error) {
      if (!isGone(error) || !isOwn(attachment.mounts)) throw hiddenInError(error, secrets);
      grants.onMissing?.('volume', record.name, messageOf(error));
      // The volume that was asked for is known: what its plugin described is not there.
      throw internal(messageOf(error), { cause: error });
    }
  }

  /** Where the volume is, once that is known to answer. A failure leaves nothing mounted. */
  async #show(
    record: VolumeRecord,
    attachment: Attachment,
    { attachmentId, readOnly, containerName, containerLabels, grants, signal }: Showing,
  ): Promise<AttachmentDocument> {
    const context = checkedContext(attachment, record, grants);
    const folder = isPlain(attachment.mounts) ? dataPathOf(attachment.mounts, grants) : undefined;
    const found = {
      attachmentId,
      readOnly,
      containerName,
      ...(Object.keys(containerLabels).length > 0 && { containerLabels }),
      ...(context === undefined ? {} : { context }),
    };
    if (folder !== undefined) {
      await checkShown(folder, grants);
      return { ...found, path: folder, isMounted: false };
    }
    const path = this.#placeOf(record.name, attachmentId, { isShared: attachment.shareable === true });
    const { helpers } = this.#options;
    if (isMounted(path) && helpers?.brokenAt(path) !== undefined) await unmount(path, helpers);
    // Nobody recorded it: an engine that died was about to, and may have made a part of it.
    if (isMounted(path) && !this.#isRecorded(record.name, path)) await unmount(path, helpers);
    if (isMounted(path)) return { ...found, path, isMounted: true };
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
    return { ...found, path, isMounted: true };
  }

  #isRecorded(name: string, path: string): boolean {
    return this.#options.rows.attachments(name).some(({ document }) => document.isMounted && document.path === path);
  }

  #placeOf(name: string, attachmentId: string, { isShared }: { readonly isShared: boolean }): string {
    return isShared ? this.mountPoint(name) : `${this.mountPoint(name)}-${attachmentId}`;
  }

  /** The last user of a mount takes it away. Of one that was being made when the engine died it is not known which one it was to be. */
  async #unmountAfter({ containerId, name, document: { attachmentId, path, isMounted: needsUnmount } }: Row): Promise<void> {
    if (path !== undefined && !needsUnmount) return;
    const others = this.#options.rows.attachments(name).filter((other) => other.containerId !== containerId);
    const places = path === undefined ? [true, false].map((isShared) => this.#placeOf(name, attachmentId, { isShared })) : [path];
    for (const place of places) if (!others.some(({ document }) => document.path === place)) await this.#unmount(name, place);
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

  /** Tells the driver. When it does not listen, the row stays, no longer live, and `reconcile` tries again. */
  async #release({ containerId, name, document }: Row, driver: string | undefined): Promise<void> {
    const { registry, rows, log } = this.#options;
    const { attachmentId, context } = document;
    this.#live.delete(keyOf(containerId, name));
    this.#broken.forget(containerId, name);
    const last = rows.attachments(name).every((other) => other.containerId === containerId);
    try {
      if (driver !== undefined) {
        const detacher = await registry.driver(driver);
        const request = { name, attachmentId, last, ...(context === undefined ? {} : { context }) };
        await detacher.detach(request, registry.context({ signal: undoSignal(detachMs) }));
      }
      rows.removeAttachment(containerId, name);
    } catch (error) {
      rows.putAttachment({
        containerId,
        name,
        document: { attachmentId, isMounted: false, ...(context === undefined ? {} : { context }) },
      });
      log.warn({ volume: name, driver, error: messageOf(error) }, 'volume driver did not detach; it is asked again later');
    }
  }

  #keep(row: Row): string {
    const { path } = row.document;
    if (path === undefined) throw internal(`volume ${row.name} has no path`);
    this.#options.rows.putAttachment(row);
    this.#broken.note(row);
    this.#live.add(keyOf(row.containerId, row.name));
    return path;
  }

  #row(containerId: string, name: string): Row | undefined {
    return this.#options.rows.attachments(name).find((row) => row.containerId === containerId);
  }

  #isThere({ path, isMounted: needsMount, broken }: AttachmentDocument): boolean {
    return path !== undefined && broken === undefined && (!needsMount || isMounted(path));
  }
}

interface Showing extends Abortable {
  readonly attachmentId: string;
  readonly readOnly: boolean;
  readonly containerName: string;
  readonly containerLabels: Readonly<Record<string, string>>;
  readonly grants: Grants;
}

/** Of what the driver described, something is not there. */
const isGone = (error: unknown): boolean => GantryError.is(error) && isErrno(error.cause, 'ENOENT', 'ENOTDIR', 'ESTALE', 'ENOTCONN');

/** Nothing that a user named in options: only of the plugin's own. */
function isOwn(mounts: readonly Mount[]): boolean {
  return mounts.every(({ source }) => !('host' in source) && !('device' in source)) && mounts.some(({ source }) => 'data' in source);
}

/** A bind without limits of its own can be used where it is; the container's own bind sets its limits. */
function isPlain(mounts: readonly Mount[]): boolean {
  return mounts.every(({ readOnly, options = [] }) => readOnly !== true && options.length === 0);
}

function checkedContext({ context, mounts }: Attachment, { name, driver }: VolumeRecord, { onViolation }: Grants): Attachment['context'] {
  const size = Buffer.byteLength(JSON.stringify(context ?? {}));
  const wrong =
    mounts.length === 0
      ? `described no mount for volume ${name}`
      : size > longestContext
        ? `answered a context of ${size} bytes; at most ${longestContext}`
        : undefined;
  if (wrong === undefined) return context;
  onViolation?.(wrong);
  throw internal(`volume driver ${driver} ${wrong}`);
}

const keyOf = (containerId: string, name: string): string => `${containerId} ${name}`;
