import { invalidArgument } from '@gantry/sdk';
import { type Network, parseAddress } from '@gantry/sdk/network';

/**
 * How a family leaves and enters: `nat` (mapped and masqueraded), `nat-unprotected` (the same, and every port is reached by the container's
 * own address), `routed` (by its own address, at published ports), `isolated` (the host has no address on the bridge).
 */
export type GatewayMode = (typeof gatewayModes)[number];

const gatewayModes = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const;

export interface BridgeOptions {
  readonly bridge: string;
  /** The user named the bridge: one that is there already is used as it is. */
  readonly mayExist: boolean;
  readonly masquerade: boolean;
  readonly interContainer: boolean;
  /** The bridge gets no IPv4 address. */
  readonly withoutAddress: boolean;
  readonly mtu: number | undefined;
  readonly publishAddress: string | undefined;
  /** Source address of what leaves; undefined: that of the outgoing link. */
  readonly sourceAddress: string | undefined;
  readonly sourceAddress6: string | undefined;
  readonly gatewayMode: Readonly<Record<4 | 6, GatewayMode>>;
  /** Links of the host from which published ports are reached by the containers' own addresses. */
  readonly trustedLinks: readonly string[];
  readonly interfacePrefix: string;
}

const prefix = 'com.docker.network.';
const known = new Set(
  [
    'bridge.name',
    'bridge.default_bridge',
    'bridge.enable_ip_masquerade',
    'bridge.enable_icc',
    'bridge.inhibit_ipv4',
    'bridge.host_binding_ipv4',
    'bridge.gateway_mode_ipv4',
    'bridge.gateway_mode_ipv6',
    'bridge.trusted_host_interfaces',
    'driver.mtu',
    'host_ipv4',
    'host_ipv6',
    'container_iface_prefix',
    'enable_ipv4',
    'enable_ipv6',
  ].map((name) => prefix + name),
);

/** Reads a network's options; what is unknown or cannot be kept is refused, naming it, because a promise of separation must never be silently empty. */
export function bridgeOptions({ id, options, internal }: Network): BridgeOptions {
  for (const key of Object.keys(options)) if (!known.has(key)) throw invalidArgument(`unknown option ${key} for a bridge network`);
  const name = options[`${prefix}bridge.name`];
  return {
    bridge: linkName(name ?? `br-${id.slice(0, 12)}`),
    mayExist: name !== undefined && !truth(options, `${prefix}bridge.default_bridge`, false),
    masquerade: truth(options, `${prefix}bridge.enable_ip_masquerade`, true),
    interContainer: truth(options, `${prefix}bridge.enable_icc`, true),
    withoutAddress: truth(options, `${prefix}bridge.inhibit_ipv4`, false),
    mtu: mtu(options, `${prefix}driver.mtu`),
    publishAddress: address(options, `${prefix}bridge.host_binding_ipv4`, 4),
    sourceAddress: address(options, `${prefix}host_ipv4`, 4),
    sourceAddress6: address(options, `${prefix}host_ipv6`, 6),
    gatewayMode: {
      4: gatewayMode(options, `${prefix}bridge.gateway_mode_ipv4`, internal),
      6: gatewayMode(options, `${prefix}bridge.gateway_mode_ipv6`, internal),
    },
    trustedLinks: (options[`${prefix}bridge.trusted_host_interfaces`] ?? '').split(':').filter(Boolean).map(linkName),
    interfacePrefix: options[`${prefix}container_iface_prefix`] || 'eth',
  };
}

type Options = Readonly<Record<string, string>>;

/** The kernel's own limit and characters, dev_valid_name(): IFNAMSIZ is 16 with the NUL. */
function linkName(name: string): string {
  if (!/^[^\s/:]{1,15}$/.test(name) || name === '.' || name === '..') {
    throw invalidArgument(`"${name}" is no interface name: at most 15 characters, no space, slash or colon`);
  }
  return name;
}

/** Go's strconv.ParseBool, in whose words clients write these options. */
function truth(options: Options, key: string, otherwise: boolean): boolean {
  const text = options[key];
  if (text === undefined) return otherwise;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw invalidArgument(`failed to parse ${key} value: ${text} (strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax)`);
}

function mtu(options: Options, key: string): number | undefined {
  const text = options[key];
  if (text === undefined || text === '0') return undefined;
  if (!/^[+-]?\d+$/.test(text)) {
    throw invalidArgument(`failed to parse ${key} value: ${text} (strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax)`);
  }
  const value = Number(text);
  if (value < 68 || value > 65_535) throw invalidArgument(`${key} is ${text}; an MTU is 68 to 65535 bytes`);
  return value;
}

function address(options: Options, key: string, family: 4 | 6): string | undefined {
  const text = options[key];
  if (text === undefined || text === '') return undefined;
  if (parseAddress(text)?.family !== family) throw invalidArgument(`${key} is ${text}, which is no IPv${family} address`);
  return text;
}

function gatewayMode(options: Options, key: string, internal: boolean): GatewayMode {
  const text = options[key] || 'nat';
  const mode = gatewayModes.find((one) => one === text);
  if (mode === undefined) throw invalidArgument(`${key} is ${text}; it can be ${gatewayModes.join(', ')}`);
  if (mode === 'isolated' && !internal) throw invalidArgument(`${key} is isolated, which only an internal network can be`);
  return mode;
}
