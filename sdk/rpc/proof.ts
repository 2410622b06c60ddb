import { createHmac } from 'node:crypto';

/** What only the plugin that was started can answer to a challenge of the handshake. */
export function proofOf(token: string, challenge: Uint8Array): Buffer {
  return createHmac('sha256', token).update(challenge).digest();
}
