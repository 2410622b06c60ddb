import type { VolumeAttachmentRow } from '../metadata/index.ts';

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
  /** It is a folder of the machine's. */
  readonly showsHost?: boolean;
  /** Why what this container sees does not work any more: the helper of its mount ended. A new mount at `path` does not reach it. */
  readonly broken?: string;
}
/** What was attached, for who uses it. */
export type Attached = Required<Pick<AttachmentDocument, 'path' | 'showsHost'>>;
export type AttachmentRow = VolumeAttachmentRow<AttachmentDocument>;

export interface Consumer {
  readonly id: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}
