import { isIP } from 'node:net';
import { oneOf } from '../option.ts';
import { parseIp } from '../parse/address.ts';
import { parseDuration } from '../parse/duration.ts';
import { parseInteger } from '../parse/integer.ts';
import { parseAssignment } from '../parse/key-value.ts';
import { refuse } from '../parse/refuse.ts';
import { parseMirror } from './mirror.ts';
import { containerDirectives } from './container-directives.ts';
import { checked, type Directive, parseFile } from './directive.ts';
import { dockerdDirectives } from './dockerd-directives.ts';
import { parseHost, parseMetricsAddress, parsePool, parseRuntime, parseStoragePath } from './values.ts';

/** dockerd's flags and daemon.json keys, and Gantry's own. */
export const directives: readonly Directive[] = [
  {
    key: 'hosts',
    flags: '-H, --host <address>',
    kind: 'list',
    parse: parseHost,
    description: 'Serve the API here; may be given many times',
  },
  { key: 'group', flags: '-G, --group <group>', kind: 'text', description: 'Group that may use the socket (default: gantry)' },
  {
    key: 'data-root',
    flags: '--data-root <path>',
    kind: 'text',
    parse: parseStoragePath,
    description: 'Images, containers and volumes (default: /var/lib/gantry)',
  },
  {
    key: 'exec-root',
    flags: '--exec-root <path>',
    kind: 'text',
    parse: parseStoragePath,
    description: 'What is gone after a reboot (default: /run/gantry)',
  },
  {
    key: 'log-format',
    flags: '--log-format <format>',
    kind: 'text',
    parse: oneOf('text', 'json'),
    description: '',
    ignored: 'the log is JSON, one line each',
  },
  { key: 'pidfile', flags: '-p, --pidfile <file>', kind: 'text', description: 'Write the process id here' },
  { key: 'debug', flags: '-D, --debug', kind: 'boolean', description: 'Log everything' },
  {
    key: 'log-level',
    flags: '-l, --log-level <level>',
    kind: 'text',
    parse: parseLevel,
    description: 'debug, info, warn, error or fatal (default: info)',
  },
  {
    key: 'idle-exit',
    flags: '--idle-exit <seconds>',
    kind: 'number',
    parse: parseInteger(1),
    description: 'End after so long without containers and requests',
  },
  {
    key: 'shutdown-timeout',
    flags: '--shutdown-timeout <seconds>',
    kind: 'number',
    parse: parseInteger(-1),
    description: 'How long stopping may take (default: 15)',
    ignored: 'stopping waits for nothing: containers run on',
  },
  {
    key: 'metrics-addr',
    flags: '--metrics-addr <address>',
    kind: 'text',
    parse: parseMetricsAddress,
    description: 'Serve numbers for Prometheus here, to everybody, e.g. 127.0.0.1:9323',
  },
  { key: 'plugin-dirs', flags: '--plugin-dir <path>', kind: 'list', description: 'Folder with more plugins; may be given many times' },
  { key: 'plugins', kind: 'map', description: 'Settings by plugin name' },
  {
    key: 'plugin-placement',
    flags: '--plugin-placement <name=place>',
    kind: 'list',
    parse: checked(parseAssignment),
    description: 'Where a plugin, or the plugins of a kind ("graph"), run: in-process, worker or process, as far as they can',
  },
  {
    key: 'authorization-plugins',
    flags: '--authorization-plugin <plugin>',
    kind: 'list',
    description: 'Plugin that must allow every request; may be given many times',
  },

  {
    key: 'storage-driver',
    flags: '-s, --storage-driver <driver>',
    kind: 'text',
    description: 'Graph driver (default: the best that works here)',
  },
  {
    key: 'storage-opts',
    flags: '--storage-opt <key=value>',
    kind: 'list',
    parse: checked(parseAssignment),
    description: 'Option of the graph driver, e.g. zfs.fsname=tank/gantry',
  },
  {
    key: 'collect-unused-after',
    flags: '--collect-unused-after <duration>',
    kind: 'text',
    parse: checked(parseDuration),
    description: 'Remove images that no container used for so long, e.g. 168h (default: never)',
  },
  {
    key: 'collect-above',
    flags: '--collect-above <percent>',
    kind: 'number',
    parse: parseInteger(1, 99),
    description: 'Remove unused images, the longest unused first, while the disk is fuller than this (default: never)',
  },
  {
    key: 'log-driver',
    flags: '--log-driver <driver>',
    kind: 'text',
    description: 'Log driver for containers that name none (default: json-file)',
  },
  {
    key: 'log-opts',
    flags: '--log-opt <key=value>',
    kind: 'map',
    parse: checked(parseAssignment),
    description: 'Option of that log driver',
  },
  {
    key: 'default-runtime',
    flags: '--default-runtime <name>',
    kind: 'text',
    description: 'OCI runtime (default: the first that works of crun, runc)',
  },
  {
    key: 'runtimes',
    flags: '--add-runtime <name=path>',
    kind: 'map',
    parse: parseRuntime,
    description: 'Another OCI runtime',
  },
  { key: 'labels', flags: '--label <key=value>', kind: 'list', parse: checked(parseAssignment), description: 'Label of the engine' },
  {
    key: 'live-restore',
    flags: '--live-restore',
    kind: 'boolean',
    description: 'Leave containers running when gantryd stops',
    ignored: 'containers always run on when gantryd stops',
  },

  {
    key: 'bip',
    flags: '--bip <cidr>',
    kind: 'text',
    parse: parseCidr,
    description: "The default bridge's address: 192.168.9.1/24",
  },
  {
    key: 'mtu',
    flags: '--mtu <bytes>',
    kind: 'number',
    parse: parseInteger(0, 65_535),
    description: 'MTU of bridges that name none',
  },
  {
    key: 'icc',
    flags: '--icc',
    kind: 'boolean',
    description: 'Containers on the default bridge may talk to each other (default: true)',
  },
  {
    key: 'userland-proxy',
    flags: '--userland-proxy',
    kind: 'boolean',
    description: "Serve published ports from this process, behind the machine's own firewall; they rest while it does (default: false)",
  },
  {
    key: 'ip',
    flags: '--ip <address>',
    kind: 'text',
    parse: parseIp,
    description: 'Address to publish ports on (default: all)',
  },
  {
    key: 'default-address-pools',
    flags: '--default-address-pool <pool>',
    kind: 'rows',
    parse: parsePool,
    description: 'Subnets of networks that name none, e.g. base=10.10.0.0/16,size=24; may be given many times',
  },
  {
    key: 'default-network-opts',
    flags: '--default-network-opt <driver=option=value>',
    kind: 'map',
    parse: parseNetworkOption,
    description: 'Option of networks of a driver that leave it open',
  },
  {
    key: 'host-gateway-ips',
    flags: '--host-gateway-ip <address>',
    kind: 'list',
    parse: parseIp,
    description: 'What host-gateway stands for in --add-host (default: the gateway of the container)',
  },
  { key: 'host-gateway-ip', kind: 'text', parse: parseIp, description: 'One of them' },
  {
    key: 'dns',
    flags: '--dns <address>',
    kind: 'list',
    parse: parseIp,
    description: 'DNS server for containers that name none',
  },
  { key: 'dns-search', flags: '--dns-search <domain>', kind: 'list', description: 'DNS search domain for them' },
  { key: 'dns-opts', flags: '--dns-opt <option>', kind: 'list', description: 'DNS option for them' },
  {
    key: 'insecure-registries',
    flags: '--insecure-registry <registry>',
    kind: 'list',
    description: 'Registry that is spoken to without TLS',
  },
  {
    key: 'registry-mirrors',
    flags: '--registry-mirror <url>',
    kind: 'list',
    parse: checked(parseMirror),
    description: 'Mirror of Docker Hub to read from first; may be given many times',
  },
  {
    key: 'max-download-attempts',
    flags: '--max-download-attempts <n>',
    kind: 'number',
    parse: parseInteger(1, 20),
    description: 'How often a download is tried (default: 5)',
  },
  { key: 'http-proxy', flags: '--http-proxy <url>', kind: 'text', parse: parseProxy, description: 'Proxy for registries without TLS' },
  { key: 'https-proxy', flags: '--https-proxy <url>', kind: 'text', parse: parseProxy, description: 'Proxy for the other registries' },
  { key: 'no-proxy', flags: '--no-proxy <hosts>', kind: 'text', description: 'Hosts and networks that are asked without one, with commas' },
  { key: 'proxies', kind: 'map', description: 'http-proxy, https-proxy and no-proxy in one' },

  ...containerDirectives,
  ...dockerdDirectives,
  {
    key: 'tls',
    flags: '--tls',
    kind: 'boolean',
    description: '',
    ignored: 'tcp is served to clients with certificates alone: --tlsverify',
  },
  {
    key: 'tlsverify',
    flags: '--tlsverify',
    kind: 'boolean',
    description: 'Serve tcp hosts to clients with a certificate of the authority',
  },
  { key: 'tlscacert', flags: '--tlscacert <file>', kind: 'text', parse: parseFile, description: 'Certificate of that authority' },
  { key: 'tlscert', flags: '--tlscert <file>', kind: 'text', parse: parseFile, description: 'Certificate of the engine' },
  { key: 'tlskey', flags: '--tlskey <file>', kind: 'text', parse: parseFile, description: 'Its key' },
];

/** Its credentials are nobody's business. */
function parseProxy(given: string): string {
  if (!/^https?:$/.test(URL.parse(given)?.protocol ?? ''))
    throw refuse(given.replace(/\/\/[^/@]*@/, '//***@'), 'is not an http or https address');
  return given;
}

/** `driver=option=value` */
function parseNetworkOption(given: string): string {
  if (!/^[^=]+=[^=]+=/.test(given))
    throw refuse(given, 'is not an option of a network driver', 'write bridge=com.docker.network.driver.mtu=1400');
  return given;
}

function parseLevel(given: string): string {
  if (!['debug', 'info', 'warn', 'error', 'fatal'].includes(given))
    throw refuse(given, 'is not a log level', 'debug, info, warn, error or fatal');
  return given;
}

function parseCidr(given: string): string {
  const [address = '', bits = ''] = given.split('/');
  if (isIP(address) !== 4 || !/^\d{1,2}$/.test(bits) || Number(bits) > 32)
    throw refuse(given, 'is not an address with a prefix', '192.168.9.1/24');
  return given;
}
