import { isIP } from 'node:net';
import { refuse } from './refuse.ts';

export function parseIp(text: string): string {
  if (isIP(text) === 0) throw refuse(text, 'is not an ip address');
  return text;
}

export function parseMac(text: string): string {
  if (!/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text)) throw refuse(text, 'is not a MAC address', 'write 92:d0:c6:0a:29:33');
  return text;
}
