import { invalidArgument } from '@gantry/sdk';
import type { EndpointConfig } from '@gantry/sdk/engine';
import { formatAddress, parseAddress } from '@gantry/sdk/network';
import type { NetworkRecord } from '../documents.ts';

/** Static addresses that a driver is asked for which gives out addresses itself; those of others are the IPAM driver's affair. */
export function wishedAddresses({ document }: NetworkRecord, { IPAMConfig }: EndpointConfig): readonly string[] {
  if (document.ipamDriver !== '') return [];
  return [IPAMConfig?.IPv4Address ?? '', IPAMConfig?.IPv6Address ?? ''].filter((address) => address !== '');
}

/** Refuses an endpoint that came back without an address that its user wished for. */
export function checkWished(network: NetworkRecord, config: EndpointConfig, addresses: readonly string[]): void {
  const given = new Set(addresses.map(normal));
  const missing = wishedAddresses(network, config).find((wished) => !given.has(normal(wished)));
  if (missing === undefined) return;
  if (network.document.isPredefined) throw invalidArgument('user specified IP address is supported on user defined networks only');
  throw invalidArgument(`network ${network.name} does not give its containers the addresses that they wish: ${missing} was asked for`, {
    hint: `its driver, ${network.document.driver}, manages addresses itself`,
  });
}

/** Without prefix length, and written as all others are. */
function normal(text: string): string {
  const address = parseAddress(text.replace(/\/.*/, ''));
  return address === undefined ? '' : formatAddress(address);
}
