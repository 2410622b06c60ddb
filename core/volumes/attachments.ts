import { type Abortable, type Attachment, internal, type Logger, messageOf } from '@gantry/sdk';
import type { Drivers } from '../drivers/index.ts';
import type { BrokenMount } from '../execute/index.ts';
import type { VolumeRows } from '../metadata/index.ts';
import { failpoint, undoSignal } from '../support/index.ts';
import type { Attached, AttachmentDocument, AttachmentRow, Consumer } from './attachment-row.ts';
import { BrokenViews } from './broken-views.ts';
import { checkedContext, isGone, isOwn } from './described.ts';
import type { MountPoints } from './mount-points.ts';
import { hashOfName } from './names.ts';
import type { VolumeRecord } from './record.ts';
import type { VolumeRegistry } from './registry.ts';
import { hiddenInError } from './secrets.ts';

export interface AttachmentsOptions {
  readonly registry: VolumeRegistry;
  readonly rows: VolumeRows<unknown, AttachmentDocument>;
  readonly drivers: Drivers;
  readonly mountPoints: MountPoints;
  readonly log: Logger;
}
interface Making extends Abortable {
  readonly attachmentId: string;
  readonly readOnly: boolean;
}

/** A container's end waits no longer for a driver to take note. */
const detachMs = 5_000;

/** Which container uses which volume: the rows in the store, and the drivers, which are asked and told. Callers hold the volume's lock. */
export class Attachments {
  readonly #options: AttachmentsOptions;
  /** Made, or adopted, since this engine started. */
  readonly #live = new Set<string>();
  readonly #broken: BrokenViews;

  constructor(options: AttachmentsOptions) {
    this.#options = options;
    this.#broken = new BrokenViews(options.rows.attachments());
  }

  isUsed(name: string): boolean {
    return this.#options.rows.attachments(name).length > 0;
  }

  /** Used by this container already: the same path. A failure leaves nothing mounted and tells the driver. */
  async attach(record: VolumeRecord, consumer: Consumer, options: { readonly readOnly: boolean } & Abortable): Promise<Attached> {
    const { rows, mountPoints } = this.#options;
    const known = this.#row(consumer.id, record.name);
    if (known?.document.path !== undefined && mountPoints.isThere(known.document)) return this.#keep(known);
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
    await this.#options.mountPoints.hideAfter(row);
    await this.#release(row, driver);
  }

  /** Answers the mounts among them whose helpers ended while no engine ran. */
  adopt(containerId: string, names: readonly string[]): readonly BrokenMount[] {
    for (const name of names) this.#live.add(keyOf(containerId, name));
    return names.flatMap((name) => {
      const path = this.#row(containerId, name)?.document.path;
      const reason = path === undefined ? undefined : this.#options.mountPoints.brokenAt(path);
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
  markBroken({ target, reason }: BrokenMount): readonly AttachmentRow[] {
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
    if (row === undefined || this.#options.mountPoints.brokenAt(path) === undefined) return;
    const { attachmentId, readOnly = false, containerName = '', containerLabels: labels = {} } = row.document;
    await this.#make(record, { id: row.containerId, name: containerName, labels }, { attachmentId, readOnly });
  }

  /** Users that are no more: the engine died while they were attached, or before it could tell the driver. */
  stale(): readonly AttachmentRow[] {
    return this.#options.rows.attachments().filter(({ containerId, name }) => !this.#live.has(keyOf(containerId, name)));
  }

  /** Asks the driver what to mount, and mounts it. */
  async #make(record: VolumeRecord, consumer: Consumer, making: Making): Promise<AttachmentDocument> {
    const { registry, drivers, mountPoints } = this.#options;
    const { name } = record;
    const { attachmentId, readOnly, signal } = making;
    const { secrets } = registry.given(record);
    const attachment = await this.#describe(record, consumer, making);
    failpoint('volume.attach.described');
    const grants = drivers.grants('volume', record.driver);
    try {
      const context = checkedContext(attachment, record, grants);
      const shown = await mountPoints.show(attachment, { name, attachmentId, grants, signal });
      grants.onMissing?.('volume', name, undefined);
      const { labels = {} } = consumer;
      return {
        attachmentId,
        readOnly,
        containerName: consumer.name,
        ...(Object.keys(labels).length > 0 && { containerLabels: labels }),
        ...(context === undefined ? {} : { context }),
        ...(attachment.mounts.some(({ type, source }) => type === 'bind' && 'host' in source) && { showsHost: true }),
        ...shown,
      };
    } catch (error) {
      if (!isGone(error) || !isOwn(attachment.mounts)) throw hiddenInError(error, secrets);
      grants.onMissing?.('volume', name, messageOf(error));
      // The volume that was asked for is known: what its plugin described is not there.
      throw internal(messageOf(error), { cause: error });
    }
  }

  async #describe(record: VolumeRecord, consumer: Consumer, { attachmentId, readOnly, signal }: Making): Promise<Attachment> {
    const { registry } = this.#options;
    const driver = await registry.driver(record.driver);
    const { options, secrets } = registry.given(record);
    const { id: containerId, name: containerName, labels = {} } = consumer;
    const user = { containerId, containerName, labels };
    try {
      const request = { name: record.name, attachmentId, readOnly, consumer: user, options, secrets };
      return (await driver.attach(request, registry.context({ signal }))).attachment;
    } catch (error) {
      throw hiddenInError(error, secrets);
    }
  }

  /** Tells the driver. When it does not listen, the row stays, no longer live, and `reconcile` tries again. */
  async #release({ containerId, name, document }: AttachmentRow, driver: string | undefined): Promise<void> {
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

  #keep(row: AttachmentRow): Attached {
    const { path, showsHost = false } = row.document;
    if (path === undefined) throw internal(`volume ${row.name} has no path`);
    this.#options.rows.putAttachment(row);
    this.#broken.note(row);
    this.#live.add(keyOf(row.containerId, row.name));
    return { path, showsHost };
  }

  #row(containerId: string, name: string): AttachmentRow | undefined {
    return this.#options.rows.attachments(name).find((row) => row.containerId === containerId);
  }
}

const keyOf = (containerId: string, name: string): string => `${containerId} ${name}`;
