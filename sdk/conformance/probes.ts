import type { DriverKind, DriverKinds } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import type { Texts } from './sample-options.ts';

/** The smallest use of a kind of driver, by which everything that all kinds have in common is tried. */
export interface Probe {
  /** Makes an object of this key. */
  make(key: string, ctx: Ctx, extra?: object): Promise<unknown>;
  /** Removes it. */
  undo(key: string, ctx: Ctx): Promise<unknown>;
  /** Asks for something that must be refused. */
  refused(ctx: Ctx): Promise<unknown>;
}

type Probes = { readonly [Kind in DriverKind]?: (driver: DriverKinds[Kind], base: Texts) => Probe };

/** Of the kinds that have one. */
export function probeOf(kind: DriverKind, driver: unknown, base: Texts): Probe | undefined {
  const probe = probes[kind] as ((driver: unknown, base: Texts) => Probe) | undefined;
  return probe?.(driver, base);
}

const probes: Probes = {
  volume: (driver, options) => ({
    make: (name, ctx, extra) => driver.create({ name, options, labels: {}, ...extra }, ctx),
    undo: (name, ctx) => driver.remove({ name, force: false }, ctx),
    refused: (ctx) => driver.stat({ name: 'nobody' }, ctx),
  }),
  graph: (driver) => ({
    make: (key, ctx, extra) => driver.prepare({ key, chain: [], ...extra }, ctx),
    undo: (key, ctx) => driver.remove({ key }, ctx),
    refused: (ctx) => driver.attach({ key: 'nobody', chain: [], attachmentId: 'a', readOnly: true, view: 'merged' }, ctx),
  }),
  network: (driver, options) => {
    const network = (key: string, cidr: string, gateway: string) => {
      const id = Buffer.from(key).toString('hex').padEnd(64, '0');
      return {
        id,
        name: key,
        subnets: [{ cidr, gateway }],
        internal: false,
        ipv4: true,
        ipv6: false,
        attachable: false,
        options,
        labels: {},
      };
    };
    return {
      make: (key, ctx, extra) => driver.createNetwork({ network: network(key, '10.66.0.0/24', '10.66.0.1'), ...extra }, ctx),
      undo: (key, ctx) => driver.removeNetwork({ network: network(key, '10.66.0.0/24', '10.66.0.1') }, ctx),
      refused: (ctx) => {
        const given = network('refused', '10.66.0.0/24', '10.66.0.1');
        return driver.createNetwork({ network: { ...given, options: { ...options, 'no-such-option': '1' } } }, ctx);
      },
    };
  },
  ipam: (driver) => {
    const pools = new Map<string, string>();
    return {
      make: async (requestId, ctx, extra) => {
        const pool = await driver.requestPool({ requestId, cidr: '', range: '', ipv6: false, exclude: [], options: {}, ...extra }, ctx);
        pools.set(requestId, pool.poolId);
        return pool;
      },
      undo: (requestId, ctx) => driver.releasePool({ poolId: pools.get(requestId) ?? '' }, ctx),
      refused: (ctx) => driver.requestAddress({ poolId: 'nowhere', owner: 'o', preferred: '', gateway: false }, ctx),
    };
  },
  log: (driver, options) => ({
    make: (_, ctx, extra) => driver.validate({ options, ...extra }, ctx),
    undo: async () => {},
    refused: (ctx) => driver.validate({ options: { ...options, 'no-such-option': '1' } }, ctx),
  }),
};
