import { isIP } from 'node:net';
import type { PortBinding } from '@gantry/sdk/engine';
import { refuse, show } from './refuse.ts';

export interface PublishedPort {
  /** "80/tcp" */
  readonly port: string;
  readonly binding: PortBinding;
}

/** `[[ip:][hostPort]:]containerPort[/tcp|udp|sctp]`, ports or ranges of equal length; a range of host ports for one port lets the engine choose. */
export function parsePublish(text: string): readonly PublishedPort[] {
  const { ip, host, container, protocol } = split(text);
  const ports = parseRange(text, container);
  const hosts = host === '' ? undefined : parseRange(text, host);
  const many = ports.last - ports.first + 1;
  const isChoice = hosts !== undefined && many === 1 && hosts.last > hosts.first;
  if (hosts !== undefined && !isChoice && hosts.last - hosts.first + 1 !== many) {
    throw refuse(text, `publishes ${many} ports to ${hosts.last - hosts.first + 1}`, 'both ranges need the same length');
  }
  return Array.from({ length: many }, (_, index) => {
    const hostPort = isChoice ? host : hosts === undefined ? '' : String(hosts.first + index);
    return { port: `${ports.first + index}/${protocol}`, binding: { HostIp: ip, HostPort: hostPort } };
  });
}

/** `port[-port][/protocol]` → "80/tcp", … */
export function parseExpose(text: string): readonly string[] {
  const [range, protocol] = splitProtocol(text);
  const { first, last } = parseRange(text, range);
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}

function split(text: string): { ip: string; host: string; container: string; protocol: string } {
  const [rest, protocol] = splitProtocol(text);
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(rest);
  const parts = bracketed ? [bracketed[1] ?? '', ...(bracketed[2] ?? '').split(':')] : rest.split(':');
  if (parts.length > 3 || (bracketed && parts.length !== 3)) {
    throw refuse(text, 'is not a port', 'write [[ip:]hostPort:]containerPort[/udp], an IPv6 address in [brackets]');
  }
  const [container = '', host = '', ip = ''] = parts.toReversed();
  if (ip !== '' && isIP(ip) === 0) throw refuse(text, `has no valid ip address: ${show(ip)}`);
  return { ip, host, container, protocol };
}

function splitProtocol(text: string): readonly [rest: string, protocol: string] {
  const [rest = '', protocol = 'tcp', ...more] = text.split('/');
  const lower = protocol.toLowerCase();
  if (more.length > 0 || !['tcp', 'udp', 'sctp'].includes(lower)) throw refuse(text, `has an unknown protocol`, 'tcp, udp or sctp');
  return [rest, lower];
}

function parseRange(text: string, range: string): { first: number; last: number } {
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
  const first = Number(from);
  const last = Number(to);
  if (from === undefined || first < 1 || last > 65_535) throw refuse(text, 'needs ports between 1 and 65535');
  if (last < first) throw refuse(text, 'has a range that runs backwards');
  return { first, last };
}
