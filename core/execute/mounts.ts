import { makeMounts as make, type MountRequest as AnyRequest } from '@gantry/sdk/mounts';
import type { Grants } from '../drivers/types.ts';
import type { Helpers } from './helpers.ts';

export interface MountRequest extends Omit<AnyRequest, 'grants' | 'helpers' | 'tools'> {
  readonly grants: Grants;
  /** Who runs the helpers of FUSE mounts; without it there are none. */
  readonly helpers?: Helpers | undefined;
}

/** Makes the described mounts at `target`, all or nothing (see the SDK's mounts), with helpers in sandboxes that outlive this engine. */
export function makeMounts({ grants, helpers, ...request }: MountRequest): Promise<void> {
  return make({ ...request, grants, helpers: helpers?.of(grants) });
}
