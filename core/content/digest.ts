import { createHash } from 'node:crypto';
import { invalidArgument } from '@gantry/sdk';

/** sha256 is the only algorithm: what every registry and archive uses. */
export function isDigest(text: unknown): text is string {
  return typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The digest again, or `invalid_argument`: a digest becomes a file name, so nothing else may pass. */
export function checkedDigest(text: unknown): string {
  if (isDigest(text)) return text;
  throw invalidArgument(`invalid digest ${JSON.stringify(String(text).slice(0, 100))}; expected sha256: and 64 hex digits`);
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
