import { readFileSync } from 'node:fs';
import { formatCidr } from '@gantry/sdk/network';

/** The prefixes that this machine has routes to, defaults and host routes left out: no pool should hide one. */
export function hostRoutes(): readonly string[] {
  return [...parseIpv4Routes(read('/proc/net/route')), ...parseIpv6Routes(read('/proc/net/ipv6_route'))];
}

/** /proc/net/route: interface, destination and mask as little-endian hex; proc_pid_net(5). */
export function parseIpv4Routes(text: string): readonly string[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.split('\t');
      const [destination, mask] = [fields[1], fields[7]];
      if (destination === undefined || mask === undefined) return [];
      const length = littleEndian(mask).toString(2).replaceAll('0', '').length;
      return length === 0 ? [] : [formatCidr({ family: 4, value: BigInt(littleEndian(destination)), length })];
    });
}

/** /proc/net/ipv6_route: destination in hex, prefix length in hex, …, interface last. Link-local, multicast and loopback are everybody's. */
export function parseIpv6Routes(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [destination = '', length = ''] = line.split(' ');
    const bits = Number.parseInt(length, 16);
    if (destination.length !== 32 || bits === 0 || bits === 128 || /^f(e80|f)/.test(destination)) return [];
    return [formatCidr({ family: 6, value: BigInt(`0x${destination}`), length: bits })];
  });
}

function littleEndian(hex: string): number {
  return Buffer.from(hex, 'hex').readUInt32LE();
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // IPv6 is off
  }
}
