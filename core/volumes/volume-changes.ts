import { conflict } from '@gantry/sdk';
import type { CopyVolume, VolumeInfo, Volumes } from '@gantry/sdk/engine';
import type { VolumeRows } from '../metadata/index.ts';
import type { AttachmentDocument } from './attachment-row.ts';
import type { Attachments } from './attachments.ts';
import type { VolumeLooks } from './looks.ts';
import type { VolumeDocument, VolumeRecord } from './record.ts';
import type { CopyRequest, VolumeRegistry } from './registry.ts';

interface Parts {
  readonly registry: VolumeRegistry;
  readonly rows: VolumeRows<VolumeDocument, AttachmentDocument>;
  readonly attachments: Attachments;
  readonly looks: VolumeLooks;
  /** Names that nobody may begin to refer to. */
  readonly removing: Set<string>;
  readonly publish: (action: string, record: VolumeRecord, attributes: Readonly<Record<string, string>>) => void;
}

/** What Docker has no word for: another name, another size, a copy. Each one where the volume's driver can. */
export class VolumeChanges implements Pick<Volumes, 'rename' | 'resize' | 'clone' | 'snapshot'> {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async rename(name: string, to: string): Promise<VolumeInfo> {
    const { registry, removing, looks, publish } = this.#parts;
    using _locks = await registry.lockBoth(name, to);
    const record = await registry.find(name);
    this.#mustBeIdle(record, 'rename');
    removing.add(name);
    try {
      const renamed = await registry.rename(record, to);
      publish('rename', renamed, { oldName: name });
      return looks.info(renamed);
    } finally {
      removing.delete(name);
    }
  }

  async resize(name: string, bytes: number): Promise<void> {
    const { registry, publish } = this.#parts;
    using _lock = await registry.lock(name);
    const record = await registry.find(name);
    await registry.resize(record, bytes);
    publish('resize', record, { bytes: String(bytes) });
  }

  clone({ from, name, options = {}, labels = {} }: CopyVolume): Promise<VolumeInfo> {
    return this.#copy(from, { kind: 'clone', name, options, labels });
  }

  snapshot({ from, name, labels = {} }: Omit<CopyVolume, 'options'>): Promise<VolumeInfo> {
    return this.#copy(from, { kind: 'snapshot', name, options: {}, labels });
  }

  async #copy(from: string, request: CopyRequest): Promise<VolumeInfo> {
    const { registry, looks, publish } = this.#parts;
    using _locks = await registry.lockBoth(from, request.name);
    const source = await registry.find(from);
    const record = await registry.copy(source, request);
    publish('create', record, { [request.kind === 'clone' ? 'cloneOf' : 'snapshotOf']: from });
    return looks.info(record);
  }

  #mustBeIdle({ name }: VolumeRecord, doing: string): void {
    const users = this.#parts.rows.users(name);
    if (users.length > 0) throw conflict(`${doing} ${name}: volume is in use - [${users.join(', ')}]`);
    if (this.#parts.attachments.isUsed(name)) throw conflict(`${doing} ${name}: its driver has not let go of it yet`);
  }
}
