import { constants } from 'node:os';
import { setImmediate, setTimeout } from 'node:timers/promises';
import {
  bridgePortRequest,
  linkAddRequests,
  linkDeleteRequest,
  linkGetRequest,
  linkSetRequest,
  readLink,
  type BridgePortOptions,
  type Link,
  type LinkChange,
  type LinkKind,
  type LinkProperties,
  type LinkRef,
} from './links.ts';
import { declare } from '../calls.ts';
import { errnoError, isErrno, type SystemCallError } from '../errno.ts';
import { NetlinkSocket } from './netlink.ts';
import type { NetlinkRequest } from './netlink-message.ts';
import type { Netns } from './netns.ts';
import {
  addressListRequest,
  addressRequest,
  neighbourRequest,
  readAddress,
  readRoute,
  routeListRequest,
  routeRequest,
  type Address,
  type Neighbour,
  type Route,
} from './routes.ts';

/**
 * Links, addresses, routes and neighbours of one network namespace, over one rtnetlink(7) socket. All calls are synchronous and take some 10 µs plus the kernel's own work.
 * Errors are Node-like: `code` is the errno's name, and the message has the kernel's extended acknowledgement.
 * For many changes at once build requests (`linkSetRequest`, `addressRequest`, …) and send them with `all`.
 */
export class Rtnetlink implements Disposable {
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Opens the socket in that namespace; it works from everywhere until disposed of. */
  static open(netns?: Netns): Rtnetlink {
    return new Rtnetlink(new NetlinkSocket(netns));
  }

  /** Makes a link (for veth: both ends, the other one directly in its namespace under its name) and answers its index. EEXIST when a name is taken; nothing is made then. */
  linkAdd(name: string, kind: LinkKind, properties: LinkProperties = {}): number {
    this.all(linkAddRequests(name, kind, properties));
    const made = this.linkGet(name);
    if (!made) throw new Error(`the link ${name} vanished right after it was made`);
    return made.index;
  }

  /** Makes a link in another namespace (macvlan, ipvlan: its lower link is here). It has no alias yet. */
  linkAddInto(netnsFd: number, name: string, kind: LinkKind, properties: Omit<LinkProperties, 'alias' | 'master'> = {}): void {
    this.all(linkAddRequests(name, kind, { ...properties, netnsFd }));
  }

  /** Changes a link. ENODEV when it is not there. */
  linkSet(link: LinkRef, change: LinkChange): void {
    this.all([linkSetRequest(change.name === undefined ? link : this.#indexOf(link), change)]);
  }

  /** Changes how a bridge's port behaves. */
  bridgePortSet(link: LinkRef, options: BridgePortOptions): void {
    this.all([bridgePortRequest(link, options)]);
  }

  /** Removes a link, and a veth's other end with it. False when it was not there. */
  linkDelete(link: LinkRef): boolean {
    return this.#unlessGone(linkDeleteRequest(link), 'ENODEV');
  }

  /** `linkDelete` while this thread goes on: the kernel takes 10 to 50 ms to see the last packet off. It has a socket of its own; this one stays usable. */
  static async linkDeleteAside(link: LinkRef, netns?: Netns): Promise<boolean> {
    using socket = new NetlinkSocket(netns);
    try {
      await socket.aside(linkDeleteRequest(link));
      return true;
    } catch (error) {
      if (isErrno(error, 'ENODEV')) return false;
      throw error;
    }
  }

  /**
   * Removes a link and answers as soon as nobody finds it any more, which is a millisecond; the kernel takes 10 to 50 ms more to see its last packet off, during which its name
   * is free already. `rest` settles when it is done. False when it was not there. In this thread's namespace only.
   */
  static async linkDeleteSoon(link: string): Promise<{ readonly wasThere: boolean; readonly rest: Promise<unknown> }> {
    const rest = Rtnetlink.linkDeleteAside(link);
    let isOver = false;
    rest.then(
      () => (isOver = true),
      () => (isOver = true),
    );
    // Mostly it is gone within a fraction of the millisecond that a timer takes at least.
    for (let [began, waitMs] = [performance.now(), 1]; !isOver; ) {
      if (performance.now() - began < 1) await setImmediate();
      else await setTimeout((waitMs = Math.min(waitMs * 2, 4)));
      if (!linkExists(link)) return { wasThere: true, rest };
    }
    return { wasThere: await rest, rest };
  }

  linkGet(link: LinkRef, options: { readonly statistics?: boolean } = {}): Link | undefined {
    const body = this.#socket.get(linkGetRequest(link, options));
    return body && readLink(body);
  }

  linkList(options: { readonly statistics?: boolean } = {}): readonly Link[] {
    return this.#socket.list(linkGetRequest(undefined, options)).map(readLink);
  }

  /** EEXIST when the link has it already. */
  addressAdd(address: Address): void {
    this.all([addressRequest('add', address)]);
  }

  /** False when the link did not have it. */
  addressDelete(address: Address): boolean {
    return this.#unlessGone(addressRequest('delete', address), 'EADDRNOTAVAIL', 'ENODEV');
  }

  addressList(): readonly Address[] {
    return this.#socket.list(addressListRequest()).map(readAddress);
  }

  /** EEXIST when there is one for this destination and metric; `replace` takes its place instead. */
  routeAdd(route: Route, { replace = false }: { readonly replace?: boolean } = {}): void {
    this.all([routeRequest(replace ? 'replace' : 'add', route)]);
  }

  /** False when there was none. */
  routeDelete(route: Route): boolean {
    return this.#unlessGone(routeRequest('delete', route), 'ESRCH', 'ENODEV');
  }

  /** The routes of all tables, IPv4 and IPv6. */
  routeList(): readonly Route[] {
    return this.#socket.list(routeListRequest()).map(readRoute);
  }

  /** Makes or replaces a permanent neighbour, proxy or forwarding entry. */
  neighbourAdd(neighbour: Neighbour): void {
    this.all([neighbourRequest('add', neighbour)]);
  }

  /** False when there was none. */
  neighbourDelete(neighbour: Neighbour): boolean {
    return this.#unlessGone(neighbourRequest('delete', neighbour), 'ENOENT', 'ENODEV');
  }

  /** Sends many requests in few system calls and throws the first error, after all were tried. */
  all(requests: readonly NetlinkRequest[]): void {
    this.#socket.all(requests);
  }

  /** Sends many requests in few system calls and answers each one's error, or undefined where it worked. */
  tryAll(requests: readonly NetlinkRequest[]): readonly (SystemCallError | undefined)[] {
    return this.#socket.tryAll(requests);
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }

  #indexOf(link: LinkRef): number {
    const index = typeof link === 'number' ? link : this.linkGet(link)?.index;
    if (index === undefined) throw errnoError(`link set ${link}`, { errno: constants.errno.ENODEV });
    return index;
  }

  #unlessGone(request: NetlinkRequest, ...codes: readonly string[]): boolean {
    try {
      this.all([request]);
      return true;
    } catch (error) {
      if (isErrno(error, ...codes)) return false;
      throw error;
    }
  }
}

/** Whether this thread's namespace has a link of that name: at once, while rtnetlink would wait for whoever makes or removes one. */
export function linkExists(name: string): boolean {
  return linkIndex(name) !== undefined;
}

/** The index of this thread's namespace's link of that name, as quickly as `linkExists`. No other link ever has it again while the namespace lives. */
export function linkIndex(name: string): number | undefined {
  return callNameToIndex(name) || undefined;
}

const callNameToIndex = declare<(name: string) => number>('if_nametoindex', 'uint', ['str']);
