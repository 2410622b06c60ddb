import type { EndpointConfig, EndpointInfo } from '@gantry/sdk/engine';
import { parseCidr } from '@gantry/sdk/network';
import type { NetworkBooks } from '../books.ts';
import type { EndpointRecord } from '../documents.ts';

/** A container's use of a network as inspect shows it. */
export function endpointInfo({ networkId, document }: EndpointRecord, books: NetworkBooks): EndpointInfo {
  const of = (family: 4 | 6) => document.addresses.find((address) => parseCidr(address)?.family === family)?.split('/') ?? [];
  const [ipAddress = '', length = '0'] = of(4);
  const [ipAddress6 = '', length6 = '0'] = of(6);
  return {
    networkId,
    networkName: books.byId(networkId)?.name ?? '',
    endpointId: document.endpointId,
    config: document.config,
    gateway: document.plan?.gateway ?? '',
    ipAddress,
    ipPrefixLength: Number(length),
    gateway6: document.plan?.gateway6 ?? '',
    ipAddress6,
    ipPrefixLength6: Number(length6),
    macAddress: document.mac,
    dnsNames: books.byId(networkId)?.document.isPredefined === true ? [] : document.names,
  };
}

/** The same of a container that does not run: wishes, and nothing that the kernel has. */
export function idleEndpointInfo(name: string, config: EndpointConfig, books: NetworkBooks): EndpointInfo {
  const network = books.networks.find((candidate) => candidate.id === name || candidate.name === name);
  return {
    networkId: network?.id ?? '',
    networkName: network?.name ?? name,
    endpointId: '',
    config,
    gateway: '',
    ipAddress: '',
    ipPrefixLength: 0,
    gateway6: '',
    ipAddress6: '',
    ipPrefixLength6: 0,
    macAddress: '',
    dnsNames: [],
  };
}
