import { addressFamilies, ipBytes, ipText, prefixBytes } from './ip.ts';
import { hardwareAddress } from './links.ts';
import { attributeNumber, attributeText, MessageWriter, readAttributes, type NetlinkRequest } from './netlink-message.ts';

/** Addresses, routes and neighbours of rtnetlink(7): what is asked, as messages, and what is answered, as values. Links are named by index. */

export interface Address {
  readonly link: number;
  /** `10.0.0.1/24`. */
  readonly address: string;
  /** IPv4 only. */
  readonly broadcast?: string | undefined;
  readonly label?: string | undefined;
  /** IPv6: usable at once, without asking the neighbours whether it is taken. */
  readonly isWithoutDad?: boolean;
}

export interface Route {
  /** `10.0.0.0/8`; `default` for everything. */
  readonly destination: string;
  readonly gateway?: string | undefined;
  readonly link?: number | undefined;
  readonly source?: string | undefined;
  readonly metric?: number | undefined;
  /** 254 (main) by default. */
  readonly table?: number | undefined;
  /** RTPROT_*: who made it; 4 (static) by default. */
  readonly protocol?: number | undefined;
  readonly type?: 'unicast' | 'local' | 'blackhole' | 'unreachable' | undefined;
  /** The gateway counts as reachable by the link even when no address says so. */
  readonly isOnLink?: boolean;
  /** Needed only when neither the destination nor the gateway tells it. */
  readonly family?: 4 | 6;
}

export interface Neighbour {
  readonly link: number;
  /** The address whose owner is told; without one it is an entry of a bridge's or vxlan's forwarding table. */
  readonly ip?: string;
  /** The hardware address. */
  readonly address?: string;
  /** We answer for `ip` ourselves. */
  readonly isProxy?: boolean;
  /** For a vxlan's forwarding table: the other host. */
  readonly remote?: string;
}

export function addressRequest(
  action: 'add' | 'delete',
  { link, address, broadcast, label, isWithoutDad = false }: Address,
): NetlinkRequest {
  const { family, bytes, prefixLength } = prefixBytes(address);
  const header = Buffer.alloc(8);
  header.writeUInt8(family, 0);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt32LE(link, 4);
  const message = new MessageWriter(header).bytes(1, bytes).bytes(2, bytes);
  if (label !== undefined) message.text(3, label);
  if (broadcast !== undefined) message.bytes(4, ipBytes(broadcast).bytes);
  if (isWithoutDad) message.u32(8, 2 /* IFA_F_NODAD */);
  return {
    type: action === 'add' ? 20 : 21,
    flags: action === 'add' ? 0x600 : 0,
    body: message.finish(),
    doing: `address ${action} ${address}`,
  };
}

export function addressListRequest(): NetlinkRequest {
  return { type: 22, body: Buffer.alloc(8), doing: 'address list' };
}

export function readAddress(body: Buffer): Address {
  const found = readAttributes(body, 8);
  const bytes = found.get(2) ?? found.get(1) ?? Buffer.alloc(4);
  const broadcast = found.get(4);
  return {
    link: body.readUInt32LE(4),
    address: `${ipText(bytes)}/${body.readUInt8(1)}`,
    broadcast: broadcast && ipText(broadcast),
    label: attributeText(found.get(3)),
    isWithoutDad: ((attributeNumber(found.get(8)) ?? 0) & 2) !== 0,
  };
}

export function routeRequest(action: 'add' | 'replace' | 'delete', route: Route): NetlinkRequest {
  const { gateway, link, source, metric, table = 254, protocol = 4, type = 'unicast', isOnLink = false } = route;
  const target = destinationBytes(route);
  const header = Buffer.alloc(12);
  header.writeUInt8(target.family, 0);
  header.writeUInt8(target.prefixLength, 1);
  header.writeUInt8(table < 256 ? table : 0, 4);
  header.writeUInt8(action === 'delete' && route.protocol === undefined ? 0 : protocol, 5);
  header.writeUInt8(action === 'delete' ? 255 : scopeOf(route), 6);
  header.writeUInt8(action === 'delete' && route.type === undefined ? 0 : routeTypes[type], 7);
  header.writeUInt32LE(isOnLink ? 4 : 0, 8);
  const message = new MessageWriter(header);
  if (target.prefixLength > 0) message.bytes(1, target.bytes);
  if (link !== undefined) message.u32(4, link);
  if (gateway !== undefined) message.bytes(5, ipBytes(gateway).bytes);
  if (metric !== undefined) message.u32(6, metric);
  if (source !== undefined) message.bytes(7, ipBytes(source).bytes);
  message.u32(15, table);
  const flags = { add: 0x600 /* CREATE, EXCL */, replace: 0x500 /* CREATE, REPLACE */, delete: 0 }[action];
  return { type: action === 'delete' ? 25 : 24, flags, body: message.finish(), doing: `route ${action} ${route.destination}` };
}

export function routeListRequest(): NetlinkRequest {
  return { type: 26, body: Buffer.alloc(12), doing: 'route list' };
}

export function readRoute(body: Buffer): Route {
  const found = readAttributes(body, 12);
  const text = (type: number): string | undefined => {
    const bytes = found.get(type);
    return bytes && ipText(bytes);
  };
  const prefixLength = body.readUInt8(1);
  const type = Object.entries(routeTypes).find(([, number]) => number === body.readUInt8(7))?.[0];
  return {
    destination: prefixLength === 0 ? 'default' : `${text(1) ?? ''}/${prefixLength}`,
    gateway: text(5),
    link: attributeNumber(found.get(4)),
    source: text(7),
    metric: attributeNumber(found.get(6)),
    table: attributeNumber(found.get(15)) ?? body.readUInt8(4),
    protocol: body.readUInt8(5),
    type: isRouteType(type) ? type : undefined,
    isOnLink: (body.readUInt32LE(8) & 4) !== 0,
    family: body.readUInt8(0) === addressFamilies.inet6 ? 6 : 4,
  };
}

export function neighbourRequest(action: 'add' | 'delete', { link, ip, address, isProxy = false, remote }: Neighbour): NetlinkRequest {
  const known = ip === undefined ? undefined : ipBytes(ip);
  const header = Buffer.alloc(12);
  header.writeUInt8(known?.family ?? addressFamilies.bridge, 0);
  header.writeInt32LE(link, 4);
  header.writeUInt16LE(address === undefined ? 0 : 0x80 /* NUD_PERMANENT */, 8);
  header.writeUInt8(known === undefined ? 2 /* NTF_SELF */ : isProxy ? 8 /* NTF_PROXY */ : 0, 10);
  const message = new MessageWriter(header);
  if (known) message.bytes(1, known.bytes);
  if (remote !== undefined) message.bytes(1, ipBytes(remote).bytes);
  if (address !== undefined) message.bytes(2, hardwareAddress(address));
  // For a forwarding table APPEND keeps other hosts of the same hardware address (all zeros: everybody).
  const flags = action === 'delete' ? 0 : known ? 0x500 /* CREATE, REPLACE */ : 0xc00; /* CREATE, APPEND */
  return { type: action === 'add' ? 28 : 29, flags, body: message.finish(), doing: `neighbour ${action} ${ip ?? address ?? ''}` };
}

const routeTypes = { unicast: 1, local: 2, blackhole: 6, unreachable: 7 } as const;

function isRouteType(name: string | undefined): name is keyof typeof routeTypes {
  return name !== undefined && name in routeTypes;
}

function destinationBytes({ destination, gateway, source, family }: Route): ReturnType<typeof prefixBytes> {
  if (destination !== 'default') return prefixBytes(destination);
  const hint = gateway ?? source;
  return prefixBytes(
    ((hint === undefined ? family : undefined) ?? (hint && ipBytes(hint).family === addressFamilies.inet6 ? 6 : 4)) === 6
      ? '::/0'
      : '0.0.0.0/0',
  );
}

/** A route without a gateway reaches its link only. */
function scopeOf({ gateway, type = 'unicast' }: Route): number {
  if (type === 'local') return 254;
  return gateway === undefined && type === 'unicast' ? 253 : 0;
}
