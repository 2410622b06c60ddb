import { ipBytes } from './ip.ts';
import { attributeNumber, attributeText, MessageWriter, readAttributes, type NetlinkRequest } from './netlink-message.ts';

/** Links of rtnetlink(7): what is asked, as messages, and what is answered, as values. */

/** What kind of link to make, with its own options. `link` is the index of the one below. */
export type LinkKind =
  | { readonly kind: 'dummy' }
  | ({ readonly kind: 'bridge' } & BridgeOptions)
  | { readonly kind: 'veth'; readonly peer: VethPeer }
  | { readonly kind: 'macvlan'; readonly link: number; readonly mode?: 'private' | 'vepa' | 'bridge' | 'passthru' }
  | { readonly kind: 'ipvlan'; readonly link: number; readonly mode?: 'l2' | 'l3' | 'l3s'; readonly flag?: 'bridge' | 'private' | 'vepa' }
  | { readonly kind: 'vlan'; readonly link: number; readonly vlanId: number }
  | {
      readonly kind: 'vxlan';
      readonly vxlanId: number;
      readonly link?: number;
      readonly local?: string;
      readonly group?: string;
      readonly port?: number;
      readonly learning?: boolean;
    };

export interface BridgeOptions {
  readonly ageingSeconds?: number;
  readonly isVlanFiltering?: boolean;
  readonly hasStp?: boolean;
  readonly isMulticastSnooping?: boolean;
}

/** The other end of a veth pair, made directly where it belongs. */
export interface VethPeer {
  readonly name: string;
  readonly netnsFd?: number;
  readonly address?: string;
  readonly mtu?: number;
}

/** What every link has. */
export interface LinkProperties {
  readonly up?: boolean;
  readonly mtu?: number;
  /** The hardware address, `02:42:…`. */
  readonly address?: string;
  /** The index of the bridge it is a port of; 0 for none. */
  readonly master?: number;
  /** Up to 255 bytes, for marking what is ours. */
  readonly alias?: string;
  readonly txQueueLength?: number;
}

export interface LinkChange extends LinkProperties {
  /** Renames it; up ones only since Linux 6.1 or so. */
  readonly name?: string;
  /** Moves it into a network namespace. */
  readonly netnsFd?: number;
}

/** How a port of a bridge behaves. */
export interface BridgePortOptions {
  /** Isolated ports do not talk to each other. */
  readonly isIsolated?: boolean;
  readonly isHairpin?: boolean;
  readonly isLearning?: boolean;
}

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly alias: string | undefined;
  /** `bridge`, `veth`, …; undefined for hardware and the loopback. */
  readonly kind: string | undefined;
  readonly mtu: number;
  readonly address: string | undefined;
  readonly master: number | undefined;
  /** The link below, or a veth's other end (in its own namespace's numbers). */
  readonly link: number | undefined;
  readonly isUp: boolean;
  /** `up`, `down`, `unknown`, `lowerlayerdown`, … */
  readonly operState: string;
  readonly flags: number;
  readonly statistics: LinkStatistics | undefined;
}

export interface LinkStatistics {
  readonly rxPackets: bigint;
  readonly txPackets: bigint;
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
  readonly rxErrors: bigint;
  readonly txErrors: bigint;
  readonly rxDropped: bigint;
  readonly txDropped: bigint;
}

/** A link by its index or its name. */
export type LinkRef = number | string;

/** Makes a link; a second request gives it its alias, which the kernel ignores while it makes one: send both together. */
export function linkAddRequests(
  name: string,
  kind: LinkKind,
  { alias, netnsFd, ...properties }: LinkProperties & { readonly netnsFd?: number } = {},
): readonly NetlinkRequest[] {
  const message = linkMessage({ up: properties.up }).text(attribute.name, checkedName(name));
  writeProperties(message, properties);
  if (netnsFd !== undefined) message.u32(attribute.netnsFd, netnsFd);
  if ('link' in kind && kind.link !== undefined) message.u32(attribute.link, kind.link);
  message.nested(attribute.linkInfo, (info) => {
    info.text(1, kind.kind);
    info.nested(2, (data) => writeKind(data, kind));
  });
  const add = { type: 16, flags: 0x600 /* CREATE, EXCL */, body: message.finish(), doing: `link add ${name} type ${kind.kind}` };
  return alias === undefined || netnsFd !== undefined ? [add] : [add, linkSetRequest(name, { alias })];
}

/** Changes a link, named by its index when it is renamed. */
export function linkSetRequest(link: LinkRef, { name, netnsFd, alias, ...properties }: LinkChange): NetlinkRequest {
  const message = linkMessage({ link, up: properties.up });
  if (name !== undefined) {
    if (typeof link === 'string') throw new TypeError(`to rename ${link} name it by its index: a request carries one name only`);
    message.text(attribute.name, checkedName(name));
  }
  if (netnsFd !== undefined) message.u32(attribute.netnsFd, netnsFd);
  if (alias !== undefined) message.bytes(attribute.alias, Buffer.from(alias));
  writeProperties(message, properties);
  return { type: 16, body: message.finish(), doing: `link set ${link}` };
}

export function bridgePortRequest(link: LinkRef, { isIsolated, isHairpin, isLearning }: BridgePortOptions): NetlinkRequest {
  const message = linkMessage({ link });
  message.nested(attribute.linkInfo, (info) => {
    info.text(4, 'bridge');
    info.nested(5, (data) => {
      if (isHairpin !== undefined) data.u8(4, Number(isHairpin));
      if (isLearning !== undefined) data.u8(8, Number(isLearning));
      if (isIsolated !== undefined) data.u8(33, Number(isIsolated));
    });
  });
  return { type: 16, body: message.finish(), doing: `bridge port set ${link}` };
}

export function linkDeleteRequest(link: LinkRef): NetlinkRequest {
  return { type: 17, body: linkMessage({ link }).finish(), doing: `link delete ${link}` };
}

/** One link, or with `undefined` all of them. Without statistics the kernel's answer is a third as long. */
export function linkGetRequest(link: LinkRef | undefined, { statistics = false }: { readonly statistics?: boolean } = {}): NetlinkRequest {
  const message = linkMessage({ link });
  if (!statistics) message.u32(attribute.extendedMask, 8 /* RTEXT_FILTER_SKIP_STATS */);
  return { type: 18, body: message.finish(), doing: `link get ${link ?? 'all'}` };
}

export function readLink(body: Buffer): Link {
  const found = readAttributes(body, linkHeaderBytes);
  const flags = body.readUInt32LE(8);
  const info = found.get(attribute.linkInfo);
  const address = found.get(attribute.address);
  return {
    index: body.readInt32LE(4),
    name: attributeText(found.get(attribute.name)) ?? '',
    alias: attributeText(found.get(attribute.alias)),
    kind: info && attributeText(readAttributes(info).get(1)),
    mtu: attributeNumber(found.get(attribute.mtu)) ?? 0,
    address: address && (address.toString('hex').match(/../g)?.join(':') ?? ''),
    master: attributeNumber(found.get(attribute.master)),
    link: attributeNumber(found.get(attribute.link)),
    isUp: (flags & 1) !== 0,
    operState: operStates[attributeNumber(found.get(attribute.operState)) ?? 0] ?? 'unknown',
    flags,
    statistics: readStatistics(found.get(attribute.statistics64)),
  };
}

const linkHeaderBytes = 16;
const attribute = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  txQueueLength: 13,
  operState: 16,
  linkInfo: 18,
  alias: 20,
  statistics64: 23,
  netnsFd: 28,
  extendedMask: 29,
} as const;
const operStates = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];
const macvlanModes = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
const ipvlanFlags = { bridge: 0, private: 1, vepa: 2 } as const;
const ipvlanModes = { l2: 0, l3: 1, l3s: 2 } as const;

/** struct ifinfomsg, and the name where there is no index. */
function linkMessage({ link, up }: { readonly link?: LinkRef | undefined; readonly up?: boolean | undefined }): MessageWriter {
  const header = Buffer.alloc(linkHeaderBytes);
  if (typeof link === 'number') header.writeInt32LE(link, 4);
  if (up !== undefined) {
    header.writeUInt32LE(up ? 1 : 0, 8);
    header.writeUInt32LE(1, 12);
  }
  const message = new MessageWriter(header);
  return typeof link === 'string' ? message.text(attribute.name, checkedName(link)) : message;
}

function writeProperties(message: MessageWriter, { mtu, address, master, txQueueLength }: LinkProperties): void {
  if (mtu !== undefined) message.u32(attribute.mtu, mtu);
  if (address !== undefined) message.bytes(attribute.address, hardwareAddress(address));
  if (master !== undefined) message.u32(attribute.master, master);
  if (txQueueLength !== undefined) message.u32(attribute.txQueueLength, txQueueLength);
}

function writeKind(data: MessageWriter, kind: LinkKind): void {
  switch (kind.kind) {
    case 'bridge':
      return writeBridge(data, kind);
    case 'veth':
      return writePeer(data, kind.peer);
    case 'macvlan':
      data.u32(1, macvlanModes[kind.mode ?? 'bridge']);
      return;
    case 'ipvlan':
      data.u16(1, ipvlanModes[kind.mode ?? 'l2']);
      if (kind.flag !== undefined) data.u16(2, ipvlanFlags[kind.flag]);
      return;
    case 'vlan':
      data.u16(1, kind.vlanId);
      return;
    case 'vxlan':
      return writeVxlan(data, kind);
    case 'dummy':
      return;
    default:
      kind satisfies never;
  }
}

function writeBridge(data: MessageWriter, { ageingSeconds, hasStp, isVlanFiltering, isMulticastSnooping }: BridgeOptions): void {
  if (ageingSeconds !== undefined) data.u32(4, ageingSeconds * 100);
  if (hasStp !== undefined) data.u32(5, Number(hasStp));
  if (isVlanFiltering !== undefined) data.u8(7, Number(isVlanFiltering));
  if (isMulticastSnooping !== undefined) data.u8(23, Number(isMulticastSnooping));
}

function writePeer(data: MessageWriter, { name, netnsFd, address, mtu }: VethPeer): void {
  const write = (peer: MessageWriter): void => {
    peer.text(attribute.name, checkedName(name));
    if (netnsFd !== undefined) peer.u32(attribute.netnsFd, netnsFd);
    if (address !== undefined) peer.bytes(attribute.address, hardwareAddress(address));
    if (mtu !== undefined) peer.u32(attribute.mtu, mtu);
  };
  data.nested(1, write, Buffer.alloc(linkHeaderBytes));
}

function writeVxlan(data: MessageWriter, { vxlanId, link, local, group, port, learning }: LinkKind & { readonly kind: 'vxlan' }): void {
  data.u32(1, vxlanId);
  if (link !== undefined) data.u32(3, link);
  for (const [address, v4, v6] of [
    [group, 2, 16],
    [local, 4, 17],
  ] as const) {
    if (address === undefined) continue;
    const { family, bytes } = ipBytes(address);
    data.bytes(family === 2 ? v4 : v6, bytes);
  }
  if (learning !== undefined) data.u8(7, Number(learning));
  data.u16be(15, port ?? 4789);
}

/** struct rtnl_link_stats64. */
function readStatistics(bytes: Buffer | undefined): LinkStatistics | undefined {
  if (bytes === undefined || bytes.length < 64) return undefined;
  const at = (position: number): bigint => bytes.readBigUInt64LE(position * 8);
  return {
    rxPackets: at(0),
    txPackets: at(1),
    rxBytes: at(2),
    txBytes: at(3),
    rxErrors: at(4),
    txErrors: at(5),
    rxDropped: at(6),
    txDropped: at(7),
  };
}

/** The kernel would cut a longer name. */
function checkedName(name: string): string {
  if (/^[^\s/:\0]{1,15}$/u.test(name) && Buffer.byteLength(name) <= 15 && name !== '.' && name !== '..') return name;
  throw Object.assign(new TypeError(`"${name}" is no name for a network link: 1 to 15 bytes without spaces, slashes and colons`), {
    code: 'ERR_INVALID_ARG_VALUE',
  });
}

export function hardwareAddress(text: string): Buffer {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return Buffer.from(text.replaceAll(':', ''), 'hex');
  throw Object.assign(new TypeError(`"${text}" is no hardware address`), { code: 'ERR_INVALID_ARG_VALUE' });
}
