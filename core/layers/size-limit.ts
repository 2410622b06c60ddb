import { type Abortable, type Attachment, invalidArgument } from '@gantry/sdk';
import { dropLimits, limitMount, whyNoProjectQuota } from '../execute/index.ts';
import { undoSignal } from '../support/index.ts';
import type { Snapshot, Views } from './views.ts';

export interface LimitedSnapshot extends Snapshot {
  readonly attachmentId: string;
  readonly quotaBytes: number;
}

/** Has the limit of a snapshot in force before anything is written to it. One that cannot be kept is told now, and not by the first start. */
export async function setSizeLimit(views: Views, snapshot: LimitedSnapshot, options: Abortable): Promise<void> {
  const mounts = await described(views, snapshot, options);
  const grants = views.grants(snapshot.driver);
  // A driver that describes no limit keeps to it by itself.
  const why = mounts.some(({ quotaBytes = 0 }) => quotaBytes > 0) ? whyNoProjectQuota(grants.dataDir) : undefined;
  if (why !== undefined) throw invalidArgument(`--storage-opt size=${snapshot.quotaBytes}: ${why.message}`, { hint: why.hint });
  for (const mount of mounts) limitMount(mount, grants);
}

/** Before the snapshot goes. */
export async function dropSizeLimit(views: Views, snapshot: LimitedSnapshot): Promise<void> {
  dropLimits(await described(views, snapshot, { signal: undoSignal() }), views.grants(snapshot.driver));
}

async function described(views: Views, snapshot: LimitedSnapshot, { signal }: Abortable): Promise<Attachment['mounts']> {
  const { attachmentId } = snapshot;
  return (await views.attach(snapshot, { attachmentId, readOnly: false, view: 'merged', signal })).mounts;
}
