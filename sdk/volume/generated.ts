// Made by `npm run generate` of proto/gantry/volume/v1: change it there.
import type { Attachment, ContractMethods, Ctx, Usage } from '../types/index.ts';

export interface Volume {
  readonly name: string;
  readonly scope: 'local' | 'global';
  readonly created?: Date;
  readonly options: Readonly<Record<string, string>>;
  /** Shown as Status in `docker volume inspect`. */
  readonly status?: Readonly<Record<string, string>>;
  /** Where its data is, below the plugin's data folder, shown as Mountpoint; absent: where the engine mounts it. */
  readonly dataPath?: string;
  /** The volume that this one is a snapshot of. */
  readonly snapshotOf?: string;
  /** The user chose owner or mode of its root: what an image has there is copied in without changing them. */
  readonly keepsRoot?: boolean;
}

export interface CreateRequest {
  readonly name: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** The options that the manifest marks `x-secret`, which are in no other field. Never in an answer, a log or a status. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export interface RemoveRequest {
  readonly name: string;
  readonly force: boolean;
}

export interface VolumeName {
  readonly name: string;
}

export interface VolumeAnswer {
  readonly volume: Volume;
}

export interface Consumer {
  readonly containerId: string;
  readonly containerName: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface AttachRequest {
  readonly name: string;
  readonly attachmentId: string;
  readonly readOnly: boolean;
  readonly consumer?: Consumer;
  /** The options the volume was created with; the engine keeps them. */
  readonly options: Readonly<Record<string, string>>;
  /** The secret ones; the engine keeps them apart. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export interface AttachResponse {
  readonly attachment: Attachment;
}

export interface DetachRequest {
  readonly name: string;
  readonly attachmentId: string;
  readonly context?: Readonly<Record<string, string>>;
  /** No other attachment of this volume is left. */
  readonly last: boolean;
}

export interface ResizeRequest {
  readonly name: string;
  readonly bytes: number;
}

export interface CloneRequest {
  readonly name: string;
  readonly from: string;
  readonly options: Readonly<Record<string, string>>;
  /** All that the copy is to have. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export interface SnapshotRequest {
  readonly name: string;
  readonly from: string;
  readonly secrets?: Readonly<Record<string, string>>;
}

export interface RenameRequest {
  readonly name: string;
  readonly to: string;
}

export interface VolumeDriver {
  create(request: CreateRequest, ctx: Ctx): Promise<VolumeAnswer>;
  remove(request: RemoveRequest, ctx: Ctx): Promise<void>;
  /** Fails with `not_found` for an unknown name. */
  stat(request: VolumeName, ctx: Ctx): Promise<VolumeAnswer>;
  list(request: Record<string, never>, ctx: Ctx): AsyncIterable<Volume>;
  attach(request: AttachRequest, ctx: Ctx): Promise<AttachResponse>;
  detach(request: DetachRequest, ctx: Ctx): Promise<void>;
  usage?(request: VolumeName, ctx: Ctx): Promise<Usage>;
  /** Sets how much it can hold. Fails with `conflict` when that is less than it holds now, or cannot be done while it is attached. */
  resize?(request: ResizeRequest, ctx: Ctx): Promise<void>;
  /** A volume with what the other one has now, independent of it. The options are added to the other one's. */
  clone?(request: CloneRequest, ctx: Ctx): Promise<VolumeAnswer>;
  /** A volume with what the other one has now, that nobody writes to: attaching it read-write fails with `conflict`. Its options are the other one's. */
  snapshot?(request: SnapshotRequest, ctx: Ctx): Promise<VolumeAnswer>;
  /** Fails with `conflict` while it is attached, and `already_exists` when there is another volume of the new name. A repetition finds it done. */
  rename?(request: RenameRequest, ctx: Ctx): Promise<VolumeAnswer>;
}

export const volumeMethods = {
  create: { deadline: 'long', key: 'name' },
  remove: { deadline: 'long', key: 'name' },
  stat: { deadline: 'fast' },
  list: { deadline: 'stream', answer: 'stream' },
  attach: { deadline: 'long', key: 'name' },
  detach: { deadline: 'normal', key: 'name' },
  usage: { deadline: 'long', feature: 'usage' },
  resize: { deadline: 'long', feature: 'resize', key: 'name' },
  clone: { deadline: 'long', feature: 'clone', key: 'name' },
  snapshot: { deadline: 'long', feature: 'snapshot', key: 'name' },
  rename: { deadline: 'long', feature: 'rename', key: 'name' },
} as const satisfies ContractMethods<VolumeDriver>;
