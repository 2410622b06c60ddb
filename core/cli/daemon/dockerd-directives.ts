import type { Directive } from './directive.ts';

const ignored = (key: string, kind: Directive['kind'], why: string, flags?: string): Directive => ({
  key,
  kind,
  description: '',
  ignored: why,
  ...(flags !== undefined && { flags }),
});
const refused = (key: string, kind: Directive['kind'], refusal: NonNullable<Directive['refused']>, flags?: string): Directive => ({
  key,
  kind,
  description: '',
  refused: refusal,
  ...(flags !== undefined && { flags }),
});

const ownRules = 'Gantry keeps its rules in one nftables table of its own';
const noSwarm = 'there is no swarm mode';
const noContainerd = 'Gantry needs no containerd';
const byItself = 'it is chosen by itself';

/**
 * What dockerd can be told and Gantry need not be, and what Gantry does not do. Settings that only tune are accepted, and the log says that
 * they have no effect; those that somebody's security or network counts on are refused: an engine that leaves them out would be another one.
 */
export const dockerdDirectives: readonly Directive[] = [
  ignored('iptables', 'boolean', ownRules, '--iptables'),
  ignored('ip6tables', 'boolean', ownRules, '--ip6tables'),
  ignored('firewall-backend', 'text', ownRules, '--firewall-backend <name>'),
  ignored('bridge-accept-fwmark', 'text', ownRules, '--bridge-accept-fwmark <mark>'),
  ignored('ip-forward', 'boolean', 'forwarding is switched on by the first network that needs it', '--ip-forward'),
  ignored('ip-forward-no-drop', 'boolean', 'the policy of forwarding is left as it is', '--ip-forward-no-drop'),
  ignored('ip-masq', 'boolean', 'masquerading is an option of each network', '--ip-masq'),
  ignored('userland-proxy-path', 'text', 'it is part of gantryd', '--userland-proxy-path <path>'),
  ignored('containerd', 'text', noContainerd, '--containerd <address>'),
  ignored('containerd-namespace', 'text', noContainerd, '--containerd-namespace <name>'),
  ignored('containerd-plugins-namespace', 'text', noContainerd, '--containerd-plugins-namespace <name>'),
  ignored('features', 'map', "they are dockerd's own"),
  ignored('builder', 'map', 'the build cache has no limit of its own'),
  ignored('experimental', 'boolean', 'nothing is experimental', '--experimental'),
  ignored('exec-opts', 'list', 'the cgroup driver is chosen by itself', '--exec-opt <key=value>'),
  ignored('max-concurrent-downloads', 'number', byItself, '--max-concurrent-downloads <n>'),
  ignored('max-concurrent-uploads', 'number', byItself, '--max-concurrent-uploads <n>'),
  ignored('raw-logs', 'boolean', 'the log has no colours', '--raw-logs'),
  ignored('allow-nondistributable-artifacts', 'list', 'layers are pushed as they are', '--allow-nondistributable-artifacts <registry>'),
  ignored('deprecated-key-path', 'text', 'there is no such key'),
  ignored('swarm-default-advertise-addr', 'text', noSwarm, '--swarm-default-advertise-addr <address>'),
  ignored('node-generic-resources', 'list', noSwarm, '--node-generic-resource <resource>'),
  ignored('network-control-plane-mtu', 'number', noSwarm, '--network-control-plane-mtu <bytes>'),
  ignored('network-diagnostic-port', 'number', noSwarm),

  refused('selinux-enabled', 'boolean', ['SELinux labels are not set', 'leave it out'], '--selinux-enabled'),
  refused('rootless', 'boolean', ['the engine runs as root', 'leave it out'], '--rootless'),
  refused(
    'bridge',
    'text',
    ['the default network has a bridge of its own', 'set bip and mtu for it, or use a network of your own with --network'],
    '-b, --bridge <name>',
  ),
  refused('fixed-cidr', 'text', ['the default network gives out its whole subnet', 'set bip to the subnet'], '--fixed-cidr <cidr>'),
  refused('fixed-cidr-v6', 'text', ['the default network has IPv4 only', 'use a network made with --ipv6'], '--fixed-cidr-v6 <cidr>'),
  refused('bip6', 'text', ['the default network has IPv4 only', 'use a network made with --ipv6'], '--bip6 <cidr>'),
  refused('ipv6', 'boolean', ['the default network has IPv4 only', 'use a network made with --ipv6'], '--ipv6'),
  refused(
    'default-gateway',
    'text',
    ['the gateway of the default network is its bridge', 'set bip to the address of the bridge'],
    '--default-gateway <address>',
  ),
  refused(
    'default-gateway-v6',
    'text',
    ['the default network has IPv4 only', 'use a network made with --ipv6'],
    '--default-gateway-v6 <address>',
  ),
  refused(
    'allow-direct-routing',
    'boolean',
    [
      'published ports are reached by the addresses of the machine alone',
      'give single networks the option com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected or routed',
    ],
    '--allow-direct-routing',
  ),
  refused('cpu-rt-period', 'number', ['no real-time budget is taken for the engine', 'leave it out'], '--cpu-rt-period <us>'),
  refused('cpu-rt-runtime', 'number', ['no real-time budget is taken for the engine', 'leave it out'], '--cpu-rt-runtime <us>'),
];
