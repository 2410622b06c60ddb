import { BlockList, isIP } from 'node:net';
import { forbidden, invalidArgument } from '@gantry/sdk';

/** Where a registry's API is, by the host of a reference. */
export function baseUrl(host: string, insecure: readonly string[]): URL {
  if (!hostPattern.test(host)) throw invalidArgument(`invalid registry host ${JSON.stringify(host.slice(0, 100))}`);
  const served = host === 'docker.io' ? 'registry-1.docker.io' : host;
  const url = new URL(`https://${served}`);
  if (isLoopback(url) || isAmong(url, insecure)) return new URL(`http://${served}`);
  return url;
}

/**
 * Refuses an address that a registry sends us to when it is one that only this machine should ask: what listens there trusts who is local.
 * A registry on this machine may.
 */
export function checkReferral(from: URL, to: URL, what: string): void {
  if (to.protocol !== 'https:' && to.protocol !== 'http:')
    throw forbidden(`${from.host} ${what} ${to.protocol} address, which is not followed`);
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw forbidden(`${from.host} ${what} plain http at ${to.host}, which is not followed`);
  if (to.hostname !== from.hostname && isLocal(to) && !isLocal(from))
    throw forbidden(`${from.host} ${what} ${to.host}, which is this machine's own`);
}

/** Hosts of one site share the last two labels of their names; addresses share nothing. Credentials stay within a site. */
export function isSameSite(a: URL, b: URL): boolean {
  if (a.hostname === b.hostname) return true;
  if (isIP(bare(a)) !== 0 || isIP(bare(b)) !== 0) return false;
  const site = siteOf(a);
  return site.includes('.') && site === siteOf(b);
}

const hostPattern = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(?::\d{1,5})?$/;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');
/** Also what clouds answer a machine's own questions at, and "this host". */
const local = new BlockList();
local.addSubnet('127.0.0.0', 8);
local.addSubnet('0.0.0.0', 8);
local.addSubnet('169.254.0.0', 16);
local.addAddress('::1', 'ipv6');
local.addAddress('::', 'ipv6');
local.addSubnet('fe80::', 10, 'ipv6');

export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || isIn(loopback, bare(url));
}

function isLocal(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname.endsWith('.localhost') || isIn(local, bare(url));
}

/** Whether a host, host:port or network in the list means the address. */
export function isAmong(url: URL, entries: readonly string[]): boolean {
  return entries.some((entry) => {
    if (entry === url.host || entry === url.hostname || entry === bare(url)) return true;
    const [, network = '', bits = ''] = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(entry) ?? [];
    const family = isIP(network);
    if (family === 0) return false;
    const list = new BlockList();
    list.addSubnet(network, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
    return isIn(list, bare(url));
  });
}

function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Without the brackets of an IPv6 address. */
function bare(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function siteOf(url: URL): string {
  return url.hostname.split('.').slice(-2).join('.');
}
