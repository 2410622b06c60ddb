import { randomUUID } from 'node:crypto';
import { Records } from '../author/records.ts';
import type { IpamDriver } from '../ipam/contract.ts';
import type { StateStore } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import { type Body, given, object, text, texts } from './body.ts';
import type { Methods } from './http.ts';

export interface IpamFrontOptions {
  readonly driver: IpamDriver;
  /** The front's own, not the plugin's. */
  readonly state: StateStore;
  readonly ctx: (signal: AbortSignal) => Ctx;
}

/**
 * `IpamDriver.*` over a driver. Docker gives addresses back by what they are and our contract by who has them: the front makes the owners up and
 * keeps who has which. Each `RequestPool` is a new one, since Docker's has nothing by which a repeated one could be told.
 */
export function ipamMethods({ driver, state, ctx }: IpamFrontOptions): Methods {
  const owners = new Records<string>(state, 'address/');
  const keyOf = (poolId: string, address: string): string => `${poolId} ${address.replace(/\/.*$/, '')}`;
  return {
    'IpamDriver.GetCapabilities': async () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
    'IpamDriver.GetDefaultAddressSpaces': async () => ({
      LocalDefaultAddressSpace: 'local',
      GlobalDefaultAddressSpace: 'global',
    }),
    'IpamDriver.RequestPool': async (body, signal) => {
      const request = {
        requestId: randomUUID(),
        cidr: text(body, 'Pool'),
        range: text(body, 'SubPool'),
        ipv6: body['V6'] === true,
        options: texts(body, 'Options'),
        exclude: taken(body),
      };
      const { poolId, cidr } = await driver.requestPool(request, ctx(signal));
      return { PoolID: poolId, Pool: cidr, Data: {} };
    },
    'IpamDriver.ReleasePool': async (body, signal) => {
      const poolId = given(body, 'PoolID');
      await driver.releasePool({ poolId }, ctx(signal));
      const kept = (await owners.list()).filter(({ id }) => id.startsWith(`${poolId} `));
      await owners.remove(...kept.map(({ id }) => id));
    },
    'IpamDriver.RequestAddress': async (body, signal) => {
      const poolId = given(body, 'PoolID');
      const owner = randomUUID();
      const gateway = object(body, 'Options')['RequestAddressType'] === 'com.docker.network.gateway';
      const { address } = await driver.requestAddress({ poolId, owner, preferred: text(body, 'Address'), gateway }, ctx(signal));
      await owners.update(keyOf(poolId, address), () => owner);
      return { Address: address, Data: {} };
    },
    'IpamDriver.ReleaseAddress': async (body, signal) => {
      const poolId = given(body, 'PoolID');
      const key = keyOf(poolId, given(body, 'Address'));
      const owner = await owners.get(key);
      if (owner === undefined) return;
      await driver.releaseAddress({ poolId, owner }, ctx(signal));
      await owners.remove(key);
    },
  };
}

/** Newer engines say which prefixes are in use. */
function taken(body: Body): readonly string[] {
  const value = body['Exclude'];
  return Array.isArray(value) ? value.map(String) : [];
}
