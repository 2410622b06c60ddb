import { isIP } from 'node:net';
import { refuse } from './refuse.ts';

/** `host:ip` or `host=ip`; the ip may be `host-gateway`, and in brackets. → "host:ip" */
export function parseAddHost(text: string): string {
  const [, host, ip = ''] = /^([^:=\s]+)[:=](.+)$/.exec(text) ?? [];
  const bare = ip.replace(/^\[(.*)\]$/, '$1');
  if (host === undefined || (bare !== 'host-gateway' && isIP(bare) === 0)) {
    throw refuse(text, 'is not a host and an ip address', 'write name:ip, or name:host-gateway');
  }
  return `${host}:${bare}`;
}
