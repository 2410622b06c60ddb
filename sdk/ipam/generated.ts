// Made by `npm run generate` of proto/gantry/ipam/v1: change it there.
import type { ContractMethods, Ctx } from '../types/index.ts';

export interface PoolRequest {
  readonly requestId: string;
  /** Empty: choose one. */
  readonly cidr: string;
  /** Part of the subnet from which addresses are taken; empty: all of it. */
  readonly range: string;
  readonly ipv6: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly exclude: readonly string[];
}

export interface Pool {
  readonly poolId: string;
  readonly cidr: string;
}

export interface PoolId {
  readonly poolId: string;
}

export interface AddressRequest {
  readonly poolId: string;
  readonly owner: string;
  /** Empty: the first free one. */
  readonly preferred: string;
  /** The address becomes the pool's gateway. */
  readonly gateway: boolean;
}

export interface AddressAnswer {
  /** With prefix length. */
  readonly address: string;
}

export interface AddressOwner {
  readonly poolId: string;
  readonly owner: string;
}

export interface IpamDriver {
  requestPool(request: PoolRequest, ctx: Ctx): Promise<Pool>;
  releasePool(request: PoolId, ctx: Ctx): Promise<void>;
  requestAddress(request: AddressRequest, ctx: Ctx): Promise<AddressAnswer>;
  releaseAddress(request: AddressOwner, ctx: Ctx): Promise<void>;
}

export const ipamMethods = {
  requestPool: { deadline: 'normal', key: 'requestId' },
  releasePool: { deadline: 'normal', key: 'poolId' },
  requestAddress: { deadline: 'normal', key: 'poolId' },
  releaseAddress: { deadline: 'normal', key: 'poolId' },
} as const satisfies ContractMethods<IpamDriver>;
