export { DnsServers, type ServeRequest } from './servers.ts';
export { type Zone, NamesOfNetworks } from './zone.ts';
