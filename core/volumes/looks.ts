import { join } from 'node:path';
import { exhausted, type Logger, messageOf } from '@gantry/sdk';
import type { Filtered, VolumeInfo, Volumes } from '@gantry/sdk/engine';
import type { Drivers } from '../drivers/index.ts';
import type { VolumeRows } from '../metadata/index.ts';
import { askAll } from './asking.ts';
import type { AttachmentDocument } from './attachment-row.ts';
import type { Attachments } from './attachments.ts';
import { listFilter } from './filters.ts';
import type { MountPoints } from './mount-points.ts';
import { infoOf, isOfBuilds, recordOf, type VolumeDocument, type VolumeRecord } from './record.ts';
import type { VolumeRegistry } from './registry.ts';
import { hiddenIn, hiddenInError } from './secrets.ts';

interface Parts {
  readonly registry: VolumeRegistry;
  readonly attachments: Attachments;
  readonly mountPoints: MountPoints;
  readonly rows: VolumeRows<VolumeDocument, AttachmentDocument>;
  readonly drivers: Drivers;
  readonly log: Logger;
}

/** That only their driver knows, of one driver: time alone does not bound what a list without end would hold. */
const mostForeign = 50_000;

/** What users are told of volumes: lists, details and sizes. */
export class VolumeLooks {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  info(record: VolumeRecord, status?: Readonly<Record<string, string>>): VolumeInfo {
    return infoOf(this.#parts.registry.shown(record), this.mountpoint(record), status);
  }

  mountpoint({ name, driver, dataPath }: VolumeRecord): string {
    if (dataPath === undefined || !this.#parts.drivers.has('volume', driver)) return this.#parts.mountPoints.of(name);
    return join(this.#parts.drivers.grants('volume', driver).dataDir, dataPath);
  }

  /** With what its driver says of it, and who no longer sees it. */
  async inspect(record: VolumeRecord): Promise<VolumeInfo> {
    const broken = [...this.#parts.attachments.brokenIn(record.name)].map(([id, reason]) => `${id.slice(0, 12)}: ${reason}`);
    const status = { ...(await this.#status(record)), ...(broken.length > 0 && { broken: broken.join('; ') }) };
    return this.info(record, Object.keys(status).length === 0 ? undefined : status);
  }

  async list({ filters = {} }: Filtered): ReturnType<Volumes['list']> {
    const matches = listFilter(filters);
    const used = this.#parts.rows.used();
    const { foreign, warnings } = await this.#foreign();
    const records = [...this.#parts.registry.records, ...foreign].filter((record) => matches(record, used.has(record.name)));
    return { volumes: records.map((record) => this.info(record)), warnings };
  }

  async usage({ ofBuilds }: { readonly ofBuilds: boolean }): Promise<readonly VolumeInfo[]> {
    const used = this.#parts.rows.used();
    const records = this.#parts.registry.records.filter((record) => isOfBuilds(record) === ofBuilds);
    return Promise.all(
      records.map(async (record) => ({
        ...this.info(record),
        usage: { ...(await this.usageOf(record)), refCount: used.get(record.name) ?? 0 },
      })),
    );
  }

  /** -1: its driver cannot say. */
  async usageOf({ name, driver }: VolumeRecord): Promise<{ readonly sizeBytes: number; readonly capacityBytes?: number }> {
    try {
      const source = await this.#parts.registry.driver(driver);
      const { bytes = -1, capacity = 0 } = (await source.usage?.({ name }, this.#parts.registry.context())) ?? {};
      return { sizeBytes: bytes, ...(capacity > 0 ? { capacityBytes: capacity } : {}) };
    } catch {
      return { sizeBytes: -1 };
    }
  }

  /** Volumes that drivers have and the engine has no record of. */
  async #foreign(): Promise<{ readonly foreign: readonly VolumeRecord[]; readonly warnings: readonly string[] }> {
    // What a slow driver has listed by its deadline counts.
    const foreign = new Map<string, VolumeRecord[]>();
    const { warnings } = await askAll(this.#parts, async (driver, name, options) => {
      const found: VolumeRecord[] = [];
      foreign.set(name, found);
      for await (const volume of driver.list({}, this.#parts.registry.context(options))) {
        if (options.signal?.aborted === true) return;
        if (this.#parts.registry.known(volume.name) !== undefined) continue;
        if (found.length >= mostForeign) throw exhausted(`it lists more than ${mostForeign} volumes; the others are left out`);
        found.push(recordOf(volume, name, { options: volume.options, labels: {} }));
      }
    });
    const names = [...foreign.keys()].toSorted();
    return { foreign: names.flatMap((name) => foreign.get(name) ?? []), warnings };
  }

  async #status({ name, driver }: VolumeRecord): Promise<Readonly<Record<string, string>> | undefined> {
    const secrets = this.#parts.rows.secrets(name);
    try {
      const source = await this.#parts.registry.driver(driver);
      const { status } = (await source.stat({ name }, this.#parts.registry.context())).volume;
      return status && hiddenIn(status, secrets);
    } catch (error) {
      this.#parts.log.warn({ volume: name, driver, error: messageOf(hiddenInError(error, secrets)) }, 'volume driver gave no status');
      return undefined;
    }
  }
}
