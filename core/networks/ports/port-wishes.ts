import { isIP } from 'node:net';
import { invalidArgument } from '@gantry/sdk';
import type { ContainerConfig, HostConfig } from '@gantry/sdk/engine';

/** One port that is to be published: on a host port, on the first free one of a range, or (0) on one that the engine chooses. */
export interface PortWish {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
  /** Empty: what the network says, else every address. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly hostPortEnd: number;
}
export type ExposedPort = Pick<PortWish, 'protocol' | 'containerPort'>;

/** Everything that a container wants published, PublishAllPorts included. */
export function wishedPorts(config: ContainerConfig, hostConfig: HostConfig): readonly PortWish[] {
  const bound = parsePortBindings(hostConfig.PortBindings ?? {});
  if (hostConfig.PublishAllPorts !== true) return bound;
  const has = new Set(bound.map(portKey));
  const others = exposedPorts(config).filter((port) => !has.has(portKey(port)));
  return [...bound, ...others.map((port) => ({ ...port, hostIp: '', hostPort: 0, hostPortEnd: 0 }))];
}

export function parsePortBindings(bindings: NonNullable<HostConfig['PortBindings']>): readonly PortWish[] {
  return Object.entries(bindings).flatMap(([key, wishes]) => {
    const port = parsePort(key);
    return (wishes === null || wishes.length === 0 ? [{}] : wishes).map(({ HostIp = '', HostPort = '' }) => {
      if (HostIp !== '' && (isIP(HostIp) === 0 || HostIp.includes('%'))) {
        throw invalidArgument(`invalid host IP address for port ${key}: ParseAddr(${JSON.stringify(HostIp)}): unable to parse IP`);
      }
      const [hostPort, hostPortEnd] = HostPort === '' ? [0, 0] : range(HostPort);
      return { ...port, hostIp: HostIp, hostPort, hostPortEnd };
    });
  });
}

/** Ports of the image and of --expose, ranges spread out. */
export function exposedPorts({ ExposedPorts }: ContainerConfig): readonly ExposedPort[] {
  return Object.keys(ExposedPorts ?? {}).flatMap((key) => {
    const [numbers = '', protocol = 'tcp'] = key.split('/');
    const [first, last] = range(numbers);
    return Array.from({ length: last - first + 1 }, (_, index) => ({ protocol: protocolOf(protocol, key), containerPort: first + index }));
  });
}

/** "80/tcp" */
export function portKey({ containerPort, protocol }: ExposedPort): string {
  return `${containerPort}/${protocol}`;
}

function parsePort(key: string): ExposedPort {
  const [number = '', protocol = 'tcp', ...rest] = key.split('/');
  const [containerPort, end] = range(number, key);
  if (rest.length > 0 || containerPort !== end || containerPort === 0)
    throw invalidArgument(`invalid port specification: ${JSON.stringify(key)}`);
  return { protocol: protocolOf(protocol, key), containerPort };
}

function protocolOf(text: string, key: string): PortWish['protocol'] {
  const protocol = text.toLowerCase();
  if (protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp') return protocol;
  throw invalidArgument(`invalid port specification: ${JSON.stringify(key)}: invalid protocol: ${text}`);
}

function range(text: string, shown = text): readonly [number, number] {
  const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  const numbers = [Number(first), Number(last)] as const;
  if (first === '' || numbers[1] > 65_535 || numbers[0] > numbers[1])
    throw invalidArgument(`invalid port specification: ${JSON.stringify(shown)}`);
  return numbers;
}
