import { isIP } from 'node:net';
import { declare } from '../calls.ts';

export const addressFamilies = { unspecified: 0, unix: 1, inet: 2, inet6: 10, netlink: 16, bridge: 7 } as const;

export interface IpBytes {
  readonly family: 2 | 10;
  /** 4 or 16 bytes in network order. */
  readonly bytes: Buffer;
}

/** The bytes of an address in text: inet_pton(3). Throws for what is none. */
export function ipBytes(text: string): IpBytes {
  // What published ports are mostly bound to, hundreds at a time.
  if (text === '0.0.0.0') return { family: addressFamilies.inet, bytes: Buffer.alloc(4) };
  if (text === '::') return { family: addressFamilies.inet6, bytes: Buffer.alloc(16) };
  const version = isIP(text);
  if (version === 0 || text.includes('%'))
    throw Object.assign(new TypeError(`"${text}" is no IP address`), { code: 'ERR_INVALID_ARG_VALUE' });
  const family = version === 4 ? addressFamilies.inet : addressFamilies.inet6;
  const bytes = Buffer.alloc(version === 4 ? 4 : 16);
  callPton(family, text, bytes);
  return { family, bytes };
}

/** The text of an address in bytes (4 or 16): inet_ntop(3). */
export function ipText(bytes: Uint8Array): string {
  const text = Buffer.alloc(64);
  callNtop(bytes.length === 4 ? addressFamilies.inet : addressFamilies.inet6, bytes, text, text.length);
  return text.toString('latin1', 0, text.indexOf(0));
}

/** An address with its prefix length, e.g. `10.0.0.1/24`; without one it is the address alone (32 or 128). */
export function prefixBytes(text: string): IpBytes & { readonly prefixLength: number } {
  const [address = '', length, ...more] = text.split('/');
  const ip = ipBytes(address);
  const bits = ip.bytes.length * 8;
  const prefixLength = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Infinity;
  if (prefixLength > bits || more.length > 0) {
    throw Object.assign(new TypeError(`"${text}" is no IP address with a prefix length`), { code: 'ERR_INVALID_ARG_VALUE' });
  }
  return { ...ip, prefixLength };
}

const callPton = declare<(family: number, text: string, bytes: Uint8Array) => number>('inet_pton', 'int', ['int', 'str', 'void *']);
const callNtop = declare<(family: number, bytes: Uint8Array, text: Uint8Array, sizeBytes: number) => unknown>('inet_ntop', 'void *', [
  'int',
  'void *',
  'void *',
  'uint',
]);
