import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An IP address as a number of its family; the arithmetic of pools and plans is done on these. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}
/** A prefix, or an address with the length of its prefix: the host bits may be set. */
export interface Cidr extends Address {
  readonly length: number;
}

/** Strict: four decimals for IPv4, no zone for IPv6, no surrounding space. Anything else is undefined. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: numberOf(text) };
  if (isIPv6(text) && !text.includes('%')) return { family: 6, value: numberOf(text) };
  return undefined;
}

/** RFC 5952 for IPv6. */
export function formatAddress({ family, value }: Address): string {
  const hex = value.toString(16).padStart(bitsOf(family) / 4, '0');
  return ipaddr.fromByteArray([...Buffer.from(hex, 'hex')]).toString();
}

export function parseCidr(text: string): Cidr | undefined {
  const [, head = '', digits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseAddress(head);
  const length = Number(digits);
  return address === undefined || length > bitsOf(address.family) ? undefined : { ...address, length };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr)}/${cidr.length}`;
}

/** 32 or 128. */
export function bitsOf(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The lowest address: the network itself. */
export function firstOf(cidr: Cidr): bigint {
  return cidr.value & ~hostMask(cidr);
}

/** The highest address: IPv4's broadcast. */
export function lastOf(cidr: Cidr): bigint {
  return cidr.value | hostMask(cidr);
}

/** The same prefix with the host bits cleared. */
export function networkOf(cidr: Cidr): Cidr {
  return { ...cidr, value: firstOf(cidr) };
}

/** Whether every address of `inner` is in `outer`; a bare address counts as a prefix of full length. */
export function contains(outer: Cidr, inner: Cidr | Address): boolean {
  if (outer.family !== inner.family) return false;
  const [low, high] = 'length' in inner ? [firstOf(inner), lastOf(inner)] : [inner.value, inner.value];
  return firstOf(outer) <= low && high <= lastOf(outer);
}

export function overlaps(one: Cidr, other: Cidr): boolean {
  return one.family === other.family && firstOf(one) <= lastOf(other) && firstOf(other) <= lastOf(one);
}

function hostMask({ family, length }: Cidr): bigint {
  return (1n << BigInt(bitsOf(family) - length)) - 1n;
}

function numberOf(text: string): bigint {
  if (!text.includes(':')) return BigInt(text.split('.').reduce((value, part) => value * 256 + Number(part), 0));
  return BigInt(`0x${Buffer.from(ipaddr.parse(text).toByteArray()).toString('hex')}`);
}
