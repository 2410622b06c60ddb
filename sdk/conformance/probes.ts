import { codeOf } from '../errors.ts';
import type { Endpoint } from '../network/index.ts';
import type { DriverKind, DriverKinds } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import type { Texts } from './sample-options.ts';

/** The smallest use of a kind of driver, by which everything that all kinds have in common is tried. */
export interface Probe {
  /** Makes an object of this key. */
  make(key: string, ctx: Ctx, extra?: object): Promise<unknown>;
  /** Removes it. */
  undo(key: string, ctx: Ctx): Promise<unknown>;
  /** A container takes it into use, and lets go of it. */
  use?(key: string, ctx: Ctx): Promise<unknown>;
  release?(key: string, ctx: Ctx): Promise<unknown>;
  /** Whether the driver has it, where a driver can be asked. */
  has?(key: string, ctx: Ctx): Promise<boolean>;
  /** Asks for something that must be refused. */
  refused(ctx: Ctx): Promise<unknown>;
}

type Probes = { readonly [Kind in DriverKind]?: (driver: DriverKinds[Kind], base: Texts) => Probe };

/** Of the kinds that have one. */
export function probeOf(kind: DriverKind, driver: unknown, base: Texts): Probe | undefined {
  const probe = probes[kind] as ((driver: unknown, base: Texts) => Probe) | undefined;
  return probe?.(driver, base);
}

function endpointOf(key: string): Endpoint {
  const containerId = Buffer.from(key).toString('hex').padEnd(64, '0').slice(0, 64);
  const names = { containerName: key, hostname: key, aliases: [] };
  return { attachmentId: `use-${key}`, containerId, ...names, addresses: ['10.66.0.2/24'], options: {} };
}

const probes: Probes = {
  volume: (driver, options) => ({
    make: (name, ctx, extra) => driver.create({ name, options, labels: {}, ...extra }, ctx),
    undo: (name, ctx) => driver.remove({ name, force: false }, ctx),
    use: (name, ctx) => driver.attach({ name, attachmentId: `use-${name}`, readOnly: false, options }, ctx),
    release: (name, ctx) => driver.detach({ name, attachmentId: `use-${name}`, last: true }, ctx),
    has: async (name, ctx) => {
      try {
        return (await driver.stat({ name }, ctx)).volume.name === name;
      } catch (error) {
        if (codeOf(error) === 'not_found') return false;
        throw error;
      }
    },
    refused: (ctx) => driver.stat({ name: 'nobody' }, ctx),
  }),
  graph: (driver) => ({
    make: (key, ctx, extra) => driver.prepare({ key, chain: [], ...extra }, ctx),
    undo: (key, ctx) => driver.remove({ key }, ctx),
    use: (key, ctx) => driver.attach({ key, chain: [], attachmentId: `use-${key}`, readOnly: false, view: 'merged' }, ctx),
    release: (key, ctx) => driver.detach({ key, attachmentId: `use-${key}` }, ctx),
    has: async (key, ctx) => (await Array.fromAsync(driver.list({}, ctx))).some((snapshot) => snapshot.key === key),
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
      use: (key, ctx) => driver.attach({ network: network(key, '10.66.0.0/24', '10.66.0.1'), endpoint: endpointOf(key) }, ctx),
      release: (key, ctx) =>
        driver.detach({ network: network(key, '10.66.0.0/24', '10.66.0.1'), attachmentId: `use-${key}`, netnsGone: false }, ctx),
      refused: (ctx) => {
        const given = network('refused', '10.66.0.0/24', '10.66.0.1');
        return driver.createNetwork({ network: { ...given, options: { ...options, 'no-such-option': '1' } } }, ctx);
      },
    };
  },
  ipam: (driver) => {
    const request = (requestId: string) => ({ requestId, cidr: '', range: '', ipv6: false, exclude: [], options: {} });
    // The same request has the same pool, also after a restart, of which this probe was told nothing.
    const poolOf = async (requestId: string, ctx: Ctx) => (await driver.requestPool(request(requestId), ctx)).poolId;
    return {
      make: (requestId, ctx, extra) => driver.requestPool({ ...request(requestId), ...extra }, ctx),
      undo: async (requestId, ctx) => driver.releasePool({ poolId: await poolOf(requestId, ctx) }, ctx),
      use: async (requestId, ctx) =>
        driver.requestAddress({ poolId: await poolOf(requestId, ctx), owner: `use-${requestId}`, preferred: '', gateway: false }, ctx),
      release: async (requestId, ctx) => driver.releaseAddress({ poolId: await poolOf(requestId, ctx), owner: `use-${requestId}` }, ctx),
      refused: (ctx) => driver.requestAddress({ poolId: 'nowhere', owner: 'o', preferred: '', gateway: false }, ctx),
    };
  },
  log: (driver, options) => ({
    make: (_, ctx, extra) => driver.validate({ options, ...extra }, ctx),
    undo: async () => {},
    refused: (ctx) => driver.validate({ options: { ...options, 'no-such-option': '1' } }, ctx),
  }),
};
