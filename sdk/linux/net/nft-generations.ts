import { readAttributes } from './netlink-message.ts';
import { NetlinkSocket } from './netlink.ts';
import type { Netns } from './netns.ts';

/**
 * The number that the kernel counts up with every change of a network namespace's nftables rules, by whomever: while it stays, so do they. One question costs some 10 µs, over one
 * kept socket, which the first opens.
 */
export class NftGenerations implements Disposable {
  readonly #netns: Netns;
  #socket: NetlinkSocket | undefined;

  constructor(netns?: Netns) {
    this.#netns = netns;
  }

  /** Undefined where the kernel does not say. */
  now(): number | undefined {
    try {
      this.#socket ??= new NetlinkSocket(this.#netns, 12 /* NETLINK_NETFILTER */);
      const body = this.#socket.get({ type: (10 << 8) | 16 /* NFT_MSG_GETGEN */, body: Buffer.alloc(4), doing: 'nftables generation' });
      return body && readAttributes(body, 4).get(1)?.readUInt32BE();
    } catch {
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }
}
