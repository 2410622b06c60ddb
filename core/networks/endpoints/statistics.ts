import { closeSync } from 'node:fs';
import { isErrno, type Link, openNetns, Rtnetlink } from '@gantry/sdk/linux';
import type { EndpointRecord } from '../documents.ts';
import type { ContainerNetworks } from '../types.ts';

/** Counters by interface name, as the container sees them; empty when its namespace is gone. */
export function readStatistics(endpoints: readonly EndpointRecord[]): ReturnType<ContainerNetworks['statistics']> {
  const netnsPath = endpoints.find(({ document }) => document.ifname !== '')?.document.netnsPath;
  if (netnsPath === undefined) return {};
  const names = new Set(endpoints.map(({ document }) => document.ifname));
  const links = linksIn(netnsPath).filter(({ name }) => names.has(name));
  return Object.fromEntries(links.map((link) => [link.name, counters(link)]));
}

function linksIn(netnsPath: string): readonly Link[] {
  try {
    const netns = openNetns(netnsPath);
    try {
      using inside = Rtnetlink.open(netns);
      return inside.linkList({ statistics: true });
    } finally {
      closeSync(netns);
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EINVAL')) return [];
    throw error;
  }
}

function counters({ statistics }: Link) {
  return {
    rxBytes: Number(statistics?.rxBytes ?? 0),
    rxPackets: Number(statistics?.rxPackets ?? 0),
    rxErrors: Number(statistics?.rxErrors ?? 0),
    rxDropped: Number(statistics?.rxDropped ?? 0),
    txBytes: Number(statistics?.txBytes ?? 0),
    txPackets: Number(statistics?.txPackets ?? 0),
    txErrors: Number(statistics?.txErrors ?? 0),
    txDropped: Number(statistics?.txDropped ?? 0),
  };
}
