import { exhausted, fromErrno } from '../errors.ts';
import { bridgePortRequest, isErrno, linkAddRequests, type NetlinkRequest } from '../linux/index.ts';
import type { EndpointPlan } from '../network/index.ts';
import type { HostLinks } from './host-links.ts';
import { sharedProperties } from './kinds.ts';

export interface VethPlace {
  /** Of the machine's end. */
  readonly name: string;
  /** What it belongs to. */
  readonly owner: string;
  /** The other end, directly in the namespace where it is to be, or here. */
  readonly peer: { readonly name: string; readonly netnsFd?: number };
}

/** Makes a container's veth, its machine's end up and on the plan's bridge. A failure leaves none; a bridge without a free port is `exhausted`. */
export function joinBridge(host: HostLinks, { name, owner, peer }: VethPlace, plan: EndpointPlan): void {
  const { link } = plan;
  const kind = { kind: 'veth', peer: { ...peer, ...sharedProperties(plan) } } as const;
  const failed = host.kernel
    .tryAll([
      ...linkAddRequests(name, kind, {
        up: true,
        alias: host.markOf(owner),
        ...(link.mtu === undefined ? {} : { mtu: link.mtu }),
        ...(link.master === undefined ? {} : { master: host.indexOf(link.master) }),
      }),
      ...(link.master === undefined ? [] : [portRequest(name, plan)]),
    ])
    .find((error) => error !== undefined);
  if (failed === undefined) return;
  host.kernel.linkDelete(name);
  if (isErrno(failed, 'EXFULL')) throw exhausted(`bridge ${link.master} is full: it takes 1,023 containers`, { cause: failed });
  throw fromErrno(failed, `join bridge ${link.master ?? ''}`);
}

/**
 * Hairpin: with br_netfilter (other programs load it) the kernel bridges what a published port leads back to the bridge it came from, and
 * a container that asks its own published port is then on the port that it came by.
 */
export function portRequest(name: string, { link }: Pick<EndpointPlan, 'link'>): NetlinkRequest {
  return bridgePortRequest(name, { isHairpin: true, isIsolated: link.attrs?.['isolated'] === '1' });
}
