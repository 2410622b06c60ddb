import type { PublishedPorts } from '@gantry/sdk/engine';
import type { EndpointRecord } from '../documents.ts';
import { exposedPorts, portKey } from './port-wishes.ts';
import type { NetworkedContainer } from '../types.ts';
import { networkMode } from '../endpoints/wishes.ts';

/** What inspect shows of a running container's ports: those that are published, and (null) those that are exposed only. */
export function publishedPorts(
  { config, hostConfig }: Pick<NetworkedContainer, 'config' | 'hostConfig'>,
  records: readonly EndpointRecord[],
): PublishedPorts {
  if (networkMode(hostConfig).kind !== 'networks') return {};
  const published: Record<string, PublishedPorts[string]> = {};
  for (const port of exposedPorts(config)) published[portKey(port)] = null;
  const ports = records.flatMap(({ document }) => document.ports);
  // Those that are opened and not mapped (host port 0) are shown where nothing is mapped, as Docker does.
  for (const port of ports.toSorted((one, other) => Number(one.hostPort === 0) - Number(other.hostPort === 0))) {
    const { hostIp, hostPort } = port;
    const before = published[portKey(port)] ?? [];
    if (hostPort !== 0 || before.every((shown) => shown.hostPort === 0)) published[portKey(port)] = [...before, { hostIp, hostPort }];
  }
  return published;
}
