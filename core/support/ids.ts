import { randomBytes } from 'node:crypto';

/** 64 hex digits. Never all digits in its first twelve: the short id serves as a hostname, which must not look like a number. */
export function randomId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d+$/.test(shortId(id))) return id;
  }
}

/** The twelve digits that people see; a digest loses its algorithm first. */
export function shortId(id: string): string {
  return id.slice(id.indexOf(':') + 1).slice(0, 12);
}

/** Sixteen hex digits for temporary names; unique enough within one folder, not an identity. */
export function shortRandom(): string {
  return randomBytes(8).toString('hex');
}

let lastTimeMs = 0;
let sequence = 0;

/** 26 characters that sort by the time they were made, also within one millisecond and when the clock steps back. */
export function operationId(nowMs = Date.now()): string {
  sequence = nowMs > lastTimeMs ? 0 : sequence + 1;
  lastTimeMs = Math.max(nowMs, lastTimeMs);
  return base32(BigInt(lastTimeMs), 10) + base32(BigInt(sequence), 4) + base32(randomBytes(8).readBigUInt64LE(), 12);
}

// Crockford's alphabet: sorts as its values do and has no letter that reads as a digit.
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

function base32(value: bigint, length: number): string {
  let text = '';
  for (let rest = value, left = length; left > 0; left -= 1, rest >>= 5n) text = alphabet.charAt(Number(rest & 31n)) + text;
  return text;
}
