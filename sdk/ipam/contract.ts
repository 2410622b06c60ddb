/**
 * The IPAM contract: who has which address.
 *
 * Vocabulary: a *pool* is a subnet (and perhaps a range in it) that one network uses; an *owner* is an attachment id.
 *
 * Scenarios
 * - Network create: requestPool with the wished CIDR, or none: the driver chooses one that is in neither `exclude` (the host's routes
 *   and other networks) nor its own books. The same requestId again gives the same pool. Overlap: `forbidden`.
 * - Container start: requestAddress. The same owner again gets the same address. Taken: `already_exists`; none left: `exhausted`;
 *   outside the pool: `invalid_argument`.
 * - Release of what is not there succeeds. After an engine crash the engine releases the owners that no longer live.
 */
import type { ContractMethods, Ctx } from '../types/index.ts';

export interface PoolRequest {
  readonly requestId: string;
  /** Empty: choose one. */
  readonly cidr: string;
  /** Part of the subnet from which addresses are taken; empty: all of it. */
  readonly range: string;
  readonly ipv6: boolean;
  readonly exclude: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}
export interface Pool {
  readonly poolId: string;
  readonly cidr: string;
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

export interface IpamDriver {
  requestPool(request: PoolRequest, ctx: Ctx): Promise<Pool>;
  releasePool(request: { readonly poolId: string }, ctx: Ctx): Promise<void>;
  requestAddress(request: AddressRequest, ctx: Ctx): Promise<AddressAnswer>;
  releaseAddress(request: { readonly poolId: string; readonly owner: string }, ctx: Ctx): Promise<void>;
}

export const ipamMethods = {
  requestPool: { deadline: 'normal', key: 'requestId' },
  releasePool: { deadline: 'normal', key: 'poolId' },
  requestAddress: { deadline: 'normal', key: 'poolId' },
  releaseAddress: { deadline: 'normal', key: 'poolId' },
} as const satisfies ContractMethods<IpamDriver>;
