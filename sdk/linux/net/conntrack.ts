import { ipText } from './ip.ts';
import { attributeNumber, MessageWriter, readAttributes, type NetlinkRequest } from './netlink-message.ts';
import { NetlinkSocket } from './netlink.ts';
import type { Netns } from './netns.ts';

/** A flow that the kernel follows, as its first packet was and as its answers are. */
export interface Flow {
  readonly family: 4 | 6;
  /** IPPROTO_*: 6, 17, 132. */
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  readonly destinationPort: number;
  /** Who answers: another one than `destination` where the flow is mapped. */
  readonly answeredBy: string;
  /** Its destination was changed (DNAT). */
  readonly isMapped: boolean;
}
export interface FlowChoice {
  readonly protocol: number;
  readonly matches: (flow: Flow) => boolean;
}

/**
 * Makes the kernel forget flows of one protocol, so that their next packets are seen as new ones and rules apply to them; answers how many there were. One that ended meanwhile
 * does not count. Throws EPROTONOSUPPORT or EINVAL where the kernel has no nfnetlink or no conntrack netlink.
 */
export function forgetFlows({ protocol, matches }: FlowChoice, netns?: Netns): number {
  using socket = new NetlinkSocket(netns, netfilter);
  const found = ([4, 6] as const)
    .flatMap((family) => listBodies(socket, family, protocol))
    .filter((body) => {
      const flow = readFlow(body);
      return flow.protocol === protocol && matches(flow);
    });
  const errors = socket.tryAll(found.map(deleteRequest));
  const failed = errors.find((error) => error !== undefined && error.code !== 'ENOENT');
  if (failed !== undefined) throw failed;
  return errors.filter((error) => error === undefined).length;
}

/** The flows of a protocol that the kernel follows now. */
export function listFlows(protocol: number, netns?: Netns): readonly Flow[] {
  using socket = new NetlinkSocket(netns, netfilter);
  return ([4, 6] as const)
    .flatMap((family) => listBodies(socket, family, protocol).map(readFlow))
    .filter((flow) => flow.protocol === protocol);
}

const netfilter = 12;
const conntrack = 1 << 8;
const [get, remove] = [conntrack | 1, conntrack | 2];
const nested = 0x8000;
/** CTA_* of linux/netfilter/nfnetlink_conntrack.h. */
const attribute = { original: 1, reply: 2, status: 3, id: 12, filter: 25 } as const;
const headerBytes = 4;

function listBodies(socket: NetlinkSocket, family: 4 | 6, protocol: number): readonly Buffer[] {
  return socket.list({ type: get, body: filtered(family, protocol), doing: 'conntrack list' });
}

/** The kernel leaves other protocols out where it knows how to (5.8 and later). */
function filtered(family: 4 | 6, protocol: number): Buffer {
  return new MessageWriter(header(family))
    .nested(attribute.original | nested, (tuple) => tuple.nested(2 | nested, (ports) => ports.u8(1, protocol)))
    .nested(attribute.filter | nested, (filter) => filter.u32(1, 1 << 3 /* CTA_PROTO_NUM */))
    .finish();
}

function deleteRequest(body: Buffer): NetlinkRequest {
  const found = readAttributes(body, headerBytes);
  const message = new MessageWriter(body.subarray(0, headerBytes)).bytes(
    attribute.original | nested,
    found.get(attribute.original) ?? Buffer.alloc(0),
  );
  const id = found.get(attribute.id);
  if (id !== undefined) message.bytes(attribute.id, id);
  return { type: remove, body: message.finish(), doing: 'conntrack delete' };
}

function readFlow(body: Buffer): Flow {
  const found = readAttributes(body, headerBytes);
  const [original, reply] = [readTuple(found.get(attribute.original)), readTuple(found.get(attribute.reply))];
  return {
    family: body.readUInt8(0) === 2 ? 4 : 6,
    protocol: original.protocol,
    source: original.source,
    destination: original.destination,
    destinationPort: original.destinationPort,
    answeredBy: reply.source,
    isMapped: ((found.get(attribute.status)?.readUInt32BE() ?? 0) & 0x20) !== 0,
  };
}

function readTuple(bytes: Buffer = Buffer.alloc(0)) {
  const tuple = readAttributes(bytes);
  const [ip, ports] = [readAttributes(tuple.get(1) ?? bytes), readAttributes(tuple.get(2) ?? bytes)];
  const address = (v4: number, v6: number): string => {
    const found = ip.get(v4) ?? ip.get(v6);
    return found === undefined ? '' : ipText(found);
  };
  return {
    protocol: attributeNumber(ports.get(1)) ?? 0,
    source: address(1, 3),
    destination: address(2, 4),
    destinationPort: ports.get(3)?.readUInt16BE() ?? 0,
  };
}

/** struct nfgenmsg. */
function header(family: 4 | 6): Buffer {
  return Buffer.of(family === 4 ? 2 : 10, 0, 0, 0);
}
