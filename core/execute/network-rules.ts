import { type Isolation, type Masquerade, parseCidr } from '@gantry/sdk/network';

/** One published port as the kernel maps it; `hostIp` empty: every local address of the container address's family. */
export interface PortMapping {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostIp: string;
  /** 0: it is mapped from none, but opened at the container's own address. */
  readonly hostPort: number;
  readonly containerIp: string;
  readonly containerPort: number;
  /** Trusted links of its network reach it at the container's own address, too. */
  readonly isDirect?: boolean;
}
/** What one container opens to another on a bridge that keeps its containers apart; IPv4 addresses. */
export interface LinkedPort {
  readonly protocol: PortMapping['protocol'];
  readonly from: string;
  readonly to: string;
  readonly port: number;
}
export interface NetworkRules {
  readonly isolation?: Isolation | undefined;
  readonly masquerade: readonly Masquerade[];
}
/** What goes into one set or map of the table, in nft(8)'s words. */
export interface Element {
  readonly set: string;
  readonly text: string;
}

export const bareTableName = 'gantry';
export const tableName = `inet ${bareTableName}`;

/**
 * The whole table as one transaction that replaces what is there. Its rules never change: networks and published ports are elements of
 * its sets and maps, so a packet costs the same however many there are.
 */
export function tableScript(elements: readonly Element[]): string {
  return [`table ${tableName}`, `delete table ${tableName}`, table, addScript(elements)].join('\n');
}

export function removeTableScript(): string {
  return `table ${tableName}\ndelete table ${tableName}`;
}

export function addScript(elements: readonly Element[]): string {
  return eachSet('add', elements);
}

export function deleteScript(elements: readonly Element[]): string {
  return eachSet('delete', elements);
}

/** One command for each set, however many elements: a command costs more than an element. */
function eachSet(action: 'add' | 'delete', elements: readonly Element[]): string {
  const bySet = Map.groupBy(elements, ({ set }) => set);
  return [...bySet]
    .map(([set, those]) => `${action} element ${tableName} ${set} { ${those.map(({ text }) => text).join(', ')} }`)
    .join('\n');
}

export function networkElements({ isolation, masquerade }: NetworkRules): readonly Element[] {
  return [...(isolation === undefined ? [] : isolationElements(isolation)), ...masquerade.flatMap(masqueradeElements)];
}

/** Whether its set is one of what comes and goes with containers: these have no intervals, so that elements may be sent to the kernel as they are. */
export function isPlain({ set }: Element): boolean {
  return /^(publish[46](at)?|open[46]|direct[46]|linked4)$/.test(set);
}

export function portElements(ports: readonly PortMapping[]): readonly Element[] {
  return ports.flatMap((port): readonly Element[] => {
    const { protocol, hostIp, hostPort, containerIp, containerPort, isDirect = false } = port;
    const family = containerIp.includes(':') ? 6 : 4;
    const [to, own] = [`${containerIp} . ${containerPort}`, `${containerIp} . ${protocol} . ${containerPort}`];
    if (hostPort === 0) return [{ set: `open${family}`, text: own }];
    return [
      hostIp === ''
        ? { set: `publish${family}`, text: `${protocol} . ${hostPort} : ${to}` }
        : { set: `publish${family}at`, text: `${hostIp} . ${protocol} . ${hostPort} : ${to}` },
      ...(isDirect ? [{ set: `direct${family}`, text: own }] : []),
    ];
  });
}

export function linkElements(links: readonly LinkedPort[]): readonly Element[] {
  return links.map(({ protocol, from, to, port }) => ({ set: 'linked4', text: `${from} . ${to} . ${protocol} . ${port}` }));
}

function isolationElements({ bridge, internal, interContainer, subnets, ...direct }: Isolation): readonly Element[] {
  const { routedSubnets = [], openSubnets = [], trustedLinks = [] } = direct;
  return [
    { set: 'bridges', text: `"${bridge}"` },
    { set: interContainer ? 'together' : 'apart', text: `"${bridge}" . "${bridge}"` },
    ...(internal ? [{ set: 'internal', text: `"${bridge}"` }] : []),
    ...subnets.map((cidr) => homeElement(cidr, bridge)),
    ...routedSubnets.map((cidr) => ({ set: `routed${familyOf(cidr)}`, text: cidr })),
    ...openSubnets.map((cidr) => ({ set: `unprotected${familyOf(cidr)}`, text: cidr })),
    ...trustedLinks.map((name) => ({ set: 'trusted', text: `"${name}" . "${bridge}"` })),
  ];
}

function masqueradeElements({ fromCidr, exceptOutLink, toAddress }: Masquerade): readonly Element[] {
  const family = familyOf(fromCidr);
  return [
    homeElement(fromCidr, exceptOutLink),
    toAddress === undefined
      ? { set: `masquerade${family}`, text: fromCidr }
      : { set: `source${family}`, text: `${fromCidr} : ${toAddress}` },
  ];
}

function homeElement(cidr: string, link: string): Element {
  return { set: `home${familyOf(cidr)}`, text: `${cidr} . "${link}"` };
}

function familyOf(cidr: string): 4 | 6 {
  return parseCidr(cidr)?.family ?? 4;
}

// output: the kernel takes no answer to ::1 from a link, so whoever asks there is served by the engine.
// forward: what a bridge sends to itself passes (it is seen here only with br_netfilter, or when routed back to a published port); new
// connections to a bridge pass when a published port led them there, and no others: neither from other bridges nor from machines that
// have a route to the containers, but for what their network opens to them. `fib daddr type local` keeps published ports from taking packets that are only passing through
// (CVE-2021-20199). 127.0.0.0/8 is routable on our bridges (route_localnet), but only for answers: raw drops the rest (CVE-2020-8558).
// postrouting: a container that reaches its own bridge through a published port, and the machine's own 127.0.0.1, appear as the bridge,
// so that the answer comes back this way.
const table = `table ${tableName} {
  set bridges { type ifname; }
  set internal { type ifname; }
  set together { type ifname . ifname; }
  set apart { type ifname . ifname; }
  set home4 { type ipv4_addr . ifname; flags interval; }
  set home6 { type ipv6_addr . ifname; flags interval; }
  set masquerade4 { type ipv4_addr; flags interval; }
  set masquerade6 { type ipv6_addr; flags interval; }
  map source4 { type ipv4_addr : ipv4_addr; flags interval; }
  map source6 { type ipv6_addr : ipv6_addr; flags interval; }
  map publish4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map publish6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
  map publish4at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  map publish6at { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
  set open4 { type ipv4_addr . inet_proto . inet_service; }
  set open6 { type ipv6_addr . inet_proto . inet_service; }
  set direct4 { type ipv4_addr . inet_proto . inet_service; }
  set direct6 { type ipv6_addr . inet_proto . inet_service; }
  set trusted { type ifname . ifname; }
  set linked4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }
  set routed4 { type ipv4_addr; flags interval; }
  set routed6 { type ipv6_addr; flags interval; }
  set unprotected4 { type ipv4_addr; flags interval; }
  set unprotected6 { type ipv6_addr; flags interval; }
  chain raw {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain publish {
    meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @publish4at
    meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . th dport map @publish4
    meta l4proto { tcp, udp, sctp } dnat ip6 to ip6 daddr . meta l4proto . th dport map @publish6at
    meta l4proto { tcp, udp, sctp } dnat ip6 to meta l4proto . th dport map @publish6
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump publish
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 accept
    fib daddr type local jump publish
  }
  chain opened {
    meta l4proto { tcp, udp, sctp } ip daddr . meta l4proto . th dport @open4 accept
    meta l4proto { tcp, udp, sctp } ip6 daddr . meta l4proto . th dport @open6 accept
    iifname . oifname @trusted meta l4proto { tcp, udp, sctp } ip daddr . meta l4proto . th dport @direct4 accept
    iifname . oifname @trusted meta l4proto { tcp, udp, sctp } ip6 daddr . meta l4proto . th dport @direct6 accept
    meta l4proto icmp ip daddr @routed4 accept
    meta l4proto ipv6-icmp ip6 daddr @routed6 accept
    ip daddr @unprotected4 accept
    ip6 daddr @unprotected6 accept
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state vmap { established : accept, related : accept }
    iifname @internal oifname != @internal drop
    oifname @internal iifname != @internal drop
    ct status dnat oifname @bridges accept
    iifname . oifname @together accept
    iifname . oifname @apart meta l4proto { tcp, udp, sctp } ip saddr . ip daddr . meta l4proto . th dport @linked4 accept
    oifname @bridges jump opened
    oifname @bridges drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ct status dnat ip saddr . oifname @home4 masquerade
    ct status dnat ip6 saddr . oifname @home6 masquerade
    ct status dnat oifname @bridges ip saddr 127.0.0.0/8 masquerade
    ip saddr . oifname @home4 return
    ip6 saddr . oifname @home6 return
    snat ip to ip saddr map @source4
    snat ip6 to ip6 saddr map @source6
    ip saddr @masquerade4 masquerade
    ip6 saddr @masquerade6 masquerade
  }
}`;
