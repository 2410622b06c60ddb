import type { PublishedPort } from '../documents.ts';
import type { PortWish } from './port-wishes.ts';

export interface MatchedPorts {
  readonly kept: readonly PublishedPort[];
  readonly gone: readonly PublishedPort[];
  /** Wishes that have no port yet. */
  readonly missing: readonly PortWish[];
}

/** Which published ports go on with new wishes, which of them nobody wishes any more, and which wishes want one still. */
export function matchPorts(held: readonly PublishedPort[], wishes: readonly PortWish[]): MatchedPorts {
  const free = new Set(held);
  const missing: PortWish[] = [];
  // Who takes whatever comes leaves the first choice to who wants just this one.
  for (const wish of wishes.toSorted((one, other) => freedom(one) - freedom(other))) {
    const fitting = [...free].filter((port) => fits(port, wish));
    const [first] = fitting.filter(isMapped).toSorted((one, other) => likeness(other, wish) - likeness(one, wish));
    if (fitting.length === 0) missing.push(wish);
    for (const port of fitting) if (port.hostPort === 0 || port.hostPort === first?.hostPort) free.delete(port);
  }
  return { kept: held.filter((port) => !free.has(port)), gone: [...free], missing };
}

export function isChange({ gone, missing }: Pick<MatchedPorts, 'gone' | 'missing'>): boolean {
  return gone.length + missing.length > 0;
}

/** Not only opened at the container's own address: it has a port of the host's. */
export function isMapped({ hostPort }: PublishedPort): boolean {
  return hostPort !== 0;
}

function fits({ protocol, containerPort, hostIp, hostPort }: PublishedPort, wish: PortWish): boolean {
  if (protocol !== wish.protocol || containerPort !== wish.containerPort) return false;
  if (hostPort === 0) return true;
  const isPlace = wish.hostIp === '' || wish.hostIp === hostIp;
  return isPlace && (wish.hostPort === 0 || (hostPort >= wish.hostPort && hostPort <= wish.hostPortEnd));
}

/** Whether it may be this very wish's, where others fit as well. */
function likeness({ hostIp, isChosen = false }: PublishedPort, wish: PortWish): number {
  const isPlace = hostIp === wish.hostIp || hostIp === '0.0.0.0' || hostIp === '::';
  return (isChosen === (wish.hostPort === 0) ? 2 : 0) + (isPlace ? 1 : 0);
}

function freedom({ hostIp, hostPort, hostPortEnd }: PortWish): number {
  const ports = hostPort === 0 ? 2 ** 16 : hostPortEnd - hostPort;
  return ports * 2 + (hostIp === '' ? 1 : 0);
}
