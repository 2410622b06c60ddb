/**
 * The volume contract: named storage that outlives containers.
 *
 * Vocabulary
 * - *volume*: named by the user; the driver keeps its data, the engine its record (driver, options, labels).
 * - *attachment*: one container's use of a volume. The driver describes mounts; the engine makes them below a folder of its own
 *   and binds the result into the container.
 * - *consumer*: the container that asks.
 *
 * Scenarios
 * - `docker volume create`: create. Same name, same options again: the same answer. Other options: `already_exists`.
 * - Container start: attach(name, attachmentId); container stop: unmount, detach with `last` when no other container uses the volume.
 * - Engine restart: attachments of running containers stay; the engine asks stat when it wants to know.
 * - Remove while attached: `conflict`, unless `force`. Remove of an unknown name succeeds.
 */
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
}
export interface CreateRequest {
  readonly name: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}
export interface RemoveRequest {
  readonly name: string;
  readonly force: boolean;
}
export interface VolumeName {
  readonly name: string;
}
export interface Consumer {
  readonly containerId: string;
  readonly containerName: string;
}
export interface AttachRequest {
  readonly name: string;
  readonly attachmentId: string;
  readonly readOnly: boolean;
  readonly consumer?: Consumer;
  /** The options the volume was created with; the engine keeps them. */
  readonly options: Readonly<Record<string, string>>;
}
export interface DetachRequest {
  readonly name: string;
  readonly attachmentId: string;
  readonly context?: Readonly<Record<string, string>>;
  /** No other attachment of this volume is left. */
  readonly last: boolean;
}
export interface VolumeAnswer {
  readonly volume: Volume;
}

export interface VolumeDriver {
  create(request: CreateRequest, ctx: Ctx): Promise<VolumeAnswer>;
  remove(request: RemoveRequest, ctx: Ctx): Promise<void>;
  /** Fails with `not_found` for an unknown name. */
  stat(request: VolumeName, ctx: Ctx): Promise<VolumeAnswer>;
  list(request: Record<string, never>, ctx: Ctx): AsyncIterable<Volume>;
  attach(request: AttachRequest, ctx: Ctx): Promise<{ readonly attachment: Attachment }>;
  detach(request: DetachRequest, ctx: Ctx): Promise<void>;
  usage?(request: VolumeName, ctx: Ctx): Promise<Usage>;
  resize?(request: { readonly name: string; readonly bytes: number }, ctx: Ctx): Promise<void>;
  clone?(
    request: { readonly name: string; readonly from: string; readonly options: Readonly<Record<string, string>> },
    ctx: Ctx,
  ): Promise<VolumeAnswer>;
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
} as const satisfies ContractMethods<VolumeDriver>;
