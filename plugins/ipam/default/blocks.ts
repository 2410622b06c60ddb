import { invalidArgument } from '@gantry/sdk';
import { bitsOf, type Cidr, firstOf, networkOf, overlaps, parseCidr } from '@gantry/sdk/network';

/** A stretch of addresses that is cut into pools of one size. */
export interface Block {
  readonly base: Cidr;
  /** Prefix length of each pool. */
  readonly size: number;
}

/** 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in pieces of /20: what Docker's users have written into their firewalls. */
export const defaultBlocks: readonly Block[] = [
  ...Array.from({ length: 15 }, (_, index) => block(`172.${17 + index}.0.0/16`, 16)),
  block('192.168.0.0/16', 20),
];

export function parseBlocks(wished: unknown): readonly Block[] {
  if (!Array.isArray(wished)) throw invalidArgument('defaultAddressPools is no list');
  return wished.map((entry: { readonly base?: unknown; readonly size?: unknown }) => block(String(entry.base), Number(entry.size)));
}

/** The first pool of the blocks' family that overlaps nothing in `taken`. */
export function firstFree(blocks: readonly Block[], taken: readonly Cidr[], family: 4 | 6): Cidr | undefined {
  for (const { base, size } of blocks) {
    if (base.family !== family) continue;
    const near = taken.filter((other) => overlaps(base, other));
    const step = 1n << BigInt(bitsOf(family) - size);
    const count = 1n << BigInt(Math.min(size - base.length, 20));
    for (let index = 0n; index < count; index += 1n) {
      const pool = { family, value: firstOf(base) + index * step, length: size };
      if (!near.some((other) => overlaps(pool, other))) return pool;
    }
  }
  return undefined;
}

function block(text: string, size: number): Block {
  const base = parseCidr(text);
  if (base === undefined) throw invalidArgument(`default address pool ${text} is no prefix such as 10.10.0.0/16`);
  if (!Number.isInteger(size) || size < base.length || size > bitsOf(base.family) - 2) {
    throw invalidArgument(`default address pool ${text} cannot be cut into pieces of /${size}`);
  }
  return { base: networkOf(base), size };
}
