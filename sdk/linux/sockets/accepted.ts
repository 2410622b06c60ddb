import { fstatSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { attributeNumber, readAttributes } from '../net/netlink-message.ts';
import { NetlinkSocket } from '../net/netlink.ts';

/**
 * Waits until the other side of a connected unix socket has called accept(2), no longer than told: until then it is in a queue, and what is
 * sent to "all who are connected" is not sent to it. A connection that is over counts as accepted, and so does every one where the kernel
 * does not tell by sock_diag(7) (CONFIG_UNIX_DIAG). Rejects with the signal's reason when aborted.
 */
export async function whenAccepted(socket: number, { withinMs, signal }: AcceptWait): Promise<void> {
  const until = performance.now() + withinMs;
  for (let turn = 0; !isAccepted(socket) && performance.now() < until; turn++) {
    // Who listens needs some microseconds as a rule; whoever is stopped needs longer.
    if (turn < 4) await nextTurn();
    else await sleep(Math.min(turn - 3, 20));
    signal?.throwIfAborted();
  }
}

interface AcceptWait {
  readonly withinMs: number;
  readonly signal?: AbortSignal | undefined;
}

function isAccepted(socket: number): boolean {
  const told = diagnosed(socket);
  // A peer that nobody has accepted has no inode yet; one that is gone has none any more, and then this side is shut.
  return told === undefined || attributeNumber(told.get(attribute.peer)) !== 0 || attributeNumber(told.get(attribute.shutdown)) !== 0;
}

function diagnosed(socket: number): ReadonlyMap<number, Buffer> | undefined {
  try {
    using diag = new NetlinkSocket(undefined, 4 /* NETLINK_SOCK_DIAG */);
    const found = diag.get({ type: 20 /* SOCK_DIAG_BY_FAMILY */, body: request(fstatSync(socket).ino), doing: 'sock_diag' });
    return found && readAttributes(found, answerBytes);
  } catch {
    return undefined;
  }
}

/** UNIX_DIAG_* of linux/unix_diag.h. */
const attribute = { peer: 2, shutdown: 6 } as const;
/** struct unix_diag_msg. */
const answerBytes = 16;

/** struct unix_diag_req: one socket of any state, by its inode. */
function request(inode: number): Buffer {
  const body = Buffer.alloc(24, 0xff);
  body.writeUInt32LE(1 /* AF_UNIX, any protocol */, 0);
  body.writeUInt32LE(inode, 8);
  body.writeUInt32LE(1 << 2 /* UDIAG_SHOW_PEER */, 12);
  return body;
}
