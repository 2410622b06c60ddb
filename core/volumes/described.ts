import { type Attachment, GantryError, internal, type Mount } from '@gantry/sdk';
import { isErrno } from '@gantry/sdk/linux';
import type { Grants } from '../drivers/index.ts';
import type { VolumeRecord } from './record.ts';

/** What a driver described: questions to it, none of which looks at the disk. */

const longestContext = 4_096;

/** Of what the driver described, something is not there. */
export const isGone = (error: unknown): boolean => GantryError.is(error) && isErrno(error.cause, 'ENOENT', 'ENOTDIR', 'ESTALE', 'ENOTCONN');

/** Nothing that a user named in options: only of the plugin's own. */
export function isOwn(mounts: readonly Mount[]): boolean {
  return mounts.every(({ source }) => !('host' in source) && !('device' in source)) && mounts.some(({ source }) => 'data' in source);
}

/** A bind without limits of its own can be used where it is; the container's own bind sets its limits. */
export function isPlain(mounts: readonly Mount[]): boolean {
  return mounts.every(({ readOnly, options = [] }) => readOnly !== true && options.length === 0);
}

/** The context that the driver wants back when it detaches. One that is too large, or a volume without a mount, is the plugin's fault and noted. */
export function checkedContext(
  { context, mounts }: Attachment,
  { name, driver }: VolumeRecord,
  { onViolation }: Grants,
): Attachment['context'] {
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
