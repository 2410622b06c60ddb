export { DnsServers, type ServeRequest } from './servers.ts';
export { type Zone } from './zone.ts';
