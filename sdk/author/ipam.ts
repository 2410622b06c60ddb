import { alreadyExists, internal, notFound } from '../errors.ts';
import type { AddressAnswer, AddressRequest, IpamDriver, Pool, PoolRequest } from '../ipam/contract.ts';
import { contains, parseAddress, parseCidr } from '../network/addresses.ts';
import { invalidArgument } from '../errors.ts';
import { definePlugin, type HostContext, type PluginModule } from '../plugin.ts';
import { isDeepStrictEqual } from 'node:util';
import { readOptions } from './check.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { type About, manifestOf } from './manifest.ts';
import { Records } from './records.ts';
import { objectSchema, type NoProperties, type Properties, type PropertiesOf } from './schema.ts';
import { Toolbox, type Tools } from './tools.ts';

type Awaitable<T> = T | Promise<T>;

export interface IpamAuthor<O extends Properties, S extends Properties> extends About<O, S> {
  requestPool(
    request: Omit<PoolRequest, 'options'> & { readonly options: PropertiesOf<O> },
    tools: Tools<PropertiesOf<S>>,
  ): Awaitable<Pool>;
  /** Releasing what is not there may fail with `not_found`, or succeed. */
  releasePool(request: { readonly poolId: string }, tools: Tools<PropertiesOf<S>>): Awaitable<unknown>;
  requestAddress(request: AddressRequest, tools: Tools<PropertiesOf<S>>): Awaitable<AddressAnswer>;
  releaseAddress(request: { readonly poolId: string; readonly owner: string }, tools: Tools<PropertiesOf<S>>): Awaitable<unknown>;
}

/**
 * A plugin with one IPAM driver, usually before a service that keeps the addresses. The SDK remembers what it was given, so that
 * repeated requests are answered alike and cost the service nothing, and refuses answers that are no addresses of the pool.
 */
export function ipam<const O extends Properties = NoProperties, const S extends Properties = NoProperties>(
  author: IpamAuthor<O, S>,
): PluginModule {
  return definePlugin({
    manifest: manifestOf('ipam', author, []),
    async activate(host) {
      const toolbox = new Toolbox(host, author.settings);
      return {
        drivers: { ipam: { [author.name]: authoredDriver(author, toolbox, host) } },
        configure: async (config, secrets) => toolbox.configure(config, secrets),
        selfTest: async () => [toolbox.check()],
      };
    },
  });
}

interface PoolRecord extends Pool {
  readonly wished: Pick<PoolRequest, 'cidr' | 'range' | 'ipv6'>;
}

function authoredDriver<O extends Properties, S extends Properties>(
  author: IpamAuthor<O, S>,
  toolbox: Toolbox<S>,
  { state }: HostContext,
): IpamDriver {
  const schema = objectSchema(author.options);
  const requests = new Records<PoolRecord>(state, 'request/');
  const pools = new Records<{ readonly requestId: string; readonly cidr: string }>(state, 'pool/');
  const addresses = new Records<string>(state, 'address/');
  const queue = new KeyedQueue();
  return {
    requestPool: async (request, ctx) => {
      const { requestId, cidr, range, ipv6 } = request;
      const options = readOptions(schema, request.options, `IPAM driver ${author.name}`) as PropertiesOf<O>;
      for (const [what, text] of Object.entries({ cidr, range })) {
        if (text !== '' && parseCidr(text) === undefined)
          throw invalidArgument(`${what} ${text} is no prefix such as 10.10.0.0/16`, { reason: 'POOL_INVALID' });
      }
      const wished = { cidr, range, ipv6 };
      return queue.run(`request ${requestId}`, ctx.signal, async () => {
        const held = await requests.get(requestId);
        if (held !== undefined) {
          if (!isDeepStrictEqual(held.wished, wished))
            throw alreadyExists(`request ${requestId} has pool ${held.cidr} already`, { reason: 'POOL_EXISTS' });
          return { poolId: held.poolId, cidr: held.cidr };
        }
        const { poolId, cidr: given } = await author.requestPool({ ...request, options }, toolbox.for(ctx));
        if (typeof poolId !== 'string' || poolId === '' || parseCidr(given) === undefined)
          throw internal(`pool ${JSON.stringify(given)} with id ${JSON.stringify(poolId)} is none`, { reason: 'ANSWER_INVALID' });
        await pools.update(poolId, () => ({ requestId, cidr: given }));
        await requests.update(requestId, () => ({ poolId, cidr: given, wished }));
        return { poolId, cidr: given };
      });
    },
    releasePool: async ({ poolId }, ctx) =>
      queue.run(poolId, ctx.signal, async () => {
        const pool = await pools.get(poolId);
        await unlessGone(async () => author.releasePool({ poolId }, toolbox.for(ctx)));
        const owners = (await addresses.list()).flatMap(({ id }) => (id.startsWith(`${poolId} `) ? [id] : []));
        await addresses.remove(...owners);
        if (pool !== undefined) await requests.update(pool.requestId, () => undefined);
        await pools.update(poolId, () => undefined);
      }),
    requestAddress: async (request, ctx) => {
      const { poolId, owner, preferred } = request;
      return queue.run(`${poolId} ${owner}`, ctx.signal, async () => {
        const pool = await pools.get(poolId);
        if (pool === undefined) throw notFound(`no pool ${poolId}`, { reason: 'POOL_NOT_FOUND' });
        if (preferred !== '') checkPreferred(preferred, pool.cidr);
        const held = await addresses.get(`${poolId} ${owner}`);
        if (held !== undefined && preferred !== '' && held.split('/')[0] !== preferred)
          throw alreadyExists(`${owner} has ${held} of pool ${poolId}, not ${preferred}`, { reason: 'ADDRESS_EXISTS' });
        if (held !== undefined) return { address: held };
        const { address } = await author.requestAddress(request, toolbox.for(ctx));
        if (!isInside(address, pool.cidr))
          throw internal(`${JSON.stringify(address)} is no address with prefix length of pool ${pool.cidr}`, { reason: 'ANSWER_INVALID' });
        // It belongs to a running container, which a power cut takes too.
        await addresses.update(`${poolId} ${owner}`, () => address, { relaxed: true });
        return { address };
      });
    },
    releaseAddress: async ({ poolId, owner }, ctx) =>
      queue.run(`${poolId} ${owner}`, ctx.signal, async () => {
        if ((await pools.get(poolId)) === undefined) return;
        await unlessGone(async () => author.releaseAddress({ poolId, owner }, toolbox.for(ctx)));
        await addresses.update(`${poolId} ${owner}`, () => undefined, { relaxed: true });
      }),
  };
}

function checkPreferred(preferred: string, cidr: string): void {
  const [pool, address] = [parseCidr(cidr), parseAddress(preferred)];
  if (pool === undefined || address === undefined || !contains(pool, address))
    throw invalidArgument(`address ${preferred} is not in pool ${cidr}`, { reason: 'ADDRESS_OUTSIDE_POOL' });
}

function isInside(address: unknown, cidr: string): boolean {
  const [pool, given] = [parseCidr(cidr), typeof address === 'string' ? parseCidr(address) : undefined];
  return pool !== undefined && given !== undefined && contains(pool, { family: given.family, value: given.value });
}

async function unlessGone(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'not_found')) throw error;
  }
}
