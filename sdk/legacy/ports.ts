import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { conflict, invalidArgument, notImplemented } from '../errors.ts';
import { type EndpointPlan, parseAddress, parseCidr } from '../network/index.ts';
import { type Body, list, object, text } from './body.ts';

/** A port of the machine that leads to one of a container's. */
export interface PublishedPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Empty: every address of the machine. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
}

/** What `ProgramExternalConnectivity` asks for. Refuses a port that Docker leaves open: nobody would be told which one it became. */
export function portsOf(body: Body): readonly PublishedPort[] {
  return list(object(body, 'Options'), 'com.docker.network.portmap').map((entry) => portOf(entry as Body));
}

function portOf(entry: Body): PublishedPort {
  const protocol = protocols[Number(entry['Proto'])];
  const [containerPort, hostPort] = [Number(entry['Port']), Number(entry['HostPort'] ?? 0)];
  if (protocol === undefined) throw invalidArgument(`protocol ${String(entry['Proto'])} cannot be published`);
  if (!isPort(containerPort)) throw invalidArgument(`${String(entry['Port'])} is no port`);
  const last = Number(entry['HostPortEnd'] ?? hostPort) || hostPort;
  if (!isPort(hostPort) || last !== hostPort)
    throw notImplemented(
      `port ${containerPort}/${protocol} is published without one port of the machine, and plugins cannot tell Docker which it became`,
      {
        hint: `say which: -p 8080:${containerPort}`,
      },
    );
  const hostIp = text(entry, 'HostIP');
  const isEvery = hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
  if (!isEvery && parseAddress(hostIp) === undefined) throw invalidArgument(`${JSON.stringify(hostIp)} is no address`);
  return { protocol, hostIp: isEvery ? '' : hostIp, hostPort, containerPort };
}

const protocols: Readonly<Record<number, PublishedPort['protocol']>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}

/** `conflict` where another container, or a program of the machine, has the port. */
export async function checkPortsFree(wanted: readonly PublishedPort[], taken: readonly PublishedPort[]): Promise<void> {
  for (const port of wanted) {
    const isSame = ({ protocol, hostIp, hostPort }: PublishedPort): boolean =>
      protocol === port.protocol && hostPort === port.hostPort && (hostIp === port.hostIp || hostIp === '' || port.hostIp === '');
    const name = `port ${port.hostPort}/${port.protocol} of the machine`;
    if (taken.some(isSame)) throw conflict(`${name} is published for another container`);
    try {
      await tryPort(port);
    } catch (cause) {
      throw conflict(`${name} is in use`, { cause });
    }
  }
}

/** What programs ask the kernel for, and gives it back at once. */
async function tryPort({ protocol, hostIp, hostPort }: PublishedPort): Promise<void> {
  if (protocol === 'tcp') {
    const server = createServer().listen(hostPort, hostIp === '' ? undefined : hostIp);
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
  }
  if (protocol === 'udp') {
    const socket = createSocket(hostIp.includes(':') ? 'udp6' : 'udp4').bind(hostPort, hostIp === '' ? undefined : hostIp);
    await once(socket, 'listening');
    socket.close();
    await once(socket, 'close');
  }
}

/** Rules for chains of NAT: on the way in (`to`), and on the way out for who asks from the machine itself or asks itself (`from`). */
export function portRules(
  { addresses }: Pick<EndpointPlan, 'addresses'>,
  ports: readonly PublishedPort[],
): { readonly to: readonly string[]; readonly from: readonly string[] } {
  const own = addresses.map((address) => ({ address: address.replace(/\/\d+$/, ''), family: parseCidr(address)?.family }));
  const to = ports.flatMap((port) => own.flatMap(({ address, family }) => forward(port, address, family)));
  const from = own.flatMap(({ address, family }) => {
    const [word, loopback] = family === 6 ? ['ip6', '::1'] : ['ip', '127.0.0.0/8'];
    return [
      `${word} saddr ${address} ${word} daddr ${address} masquerade`,
      `${word} saddr ${loopback} ${word} daddr ${address} masquerade`,
    ];
  });
  return { to, from: to.length === 0 ? [] : from };
}

function forward(
  { protocol, hostIp, hostPort, containerPort }: PublishedPort,
  address: string,
  family: 4 | 6 | undefined,
): readonly string[] {
  if (family === undefined || (hostIp !== '' && parseAddress(hostIp)?.family !== family)) return [];
  const [word, target] = family === 6 ? ['ip6', `[${address}]`] : ['ip', address];
  const where = hostIp === '' ? `meta nfproto ipv${family} fib daddr type local` : `${word} daddr ${hostIp}`;
  return [`${where} ${protocol} dport ${hostPort} dnat ${word} to ${target}:${containerPort}`];
}
