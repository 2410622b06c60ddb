import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { HostConfig } from '@gantry/sdk/engine';

export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}
/** Where the embedded server is reached inside a container. */
export const embeddedServer = '127.0.0.11';
/** Docker's stand-in when nothing of the machine's servers can be reached from a container. */
const publicServers = ['8.8.8.8', '8.8.4.4'];

/** What this machine uses; behind systemd's stub, what the stub uses is in another file (resolved.conf(5)). */
export function hostResolvConf({ behindStub = false }: { readonly behindStub?: boolean } = {}): ResolvConf {
  const host = parseResolvConf(read('/etc/resolv.conf'));
  const isStub = host.nameservers.length === 1 && host.nameservers[0] === '127.0.0.53';
  if (!behindStub || !isStub) return host;
  const real = parseResolvConf(read('/run/systemd/resolve/resolv.conf'));
  return real.nameservers.length > 0 ? real : host;
}

/** resolv.conf(5): the last search line counts, anything unknown is dropped. */
export function parseResolvConf(text: string): ResolvConf {
  const lines = text.split('\n').map((line) =>
    line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/),
  );
  const of = (key: string) => lines.filter(([word]) => word === key).map(([, ...values]) => values);
  return {
    nameservers: of('nameserver').flatMap(([server = '']) => (isIP(server.split('%')[0] ?? '') === 0 ? [] : [server])),
    search: [...of('domain'), ...of('search')].at(-1) ?? [],
    options: of('options').flat(),
  };
}

/** The container's own wishes in the place of the machine's. */
export function withWishes(host: ResolvConf, { Dns, DnsSearch, DnsOptions }: HostConfig): ResolvConf {
  // A search list of "." means none.
  const search = unlessEmpty(DnsSearch, host.search).filter((domain) => domain !== '.');
  return { nameservers: unlessEmpty(Dns, host.nameservers), search, options: unlessEmpty(DnsOptions, host.options) };
}

/** For the default network: the machine's file without servers that only the machine itself can reach. */
export function copiedResolvConf(conf: ResolvConf, { isOverridden }: { readonly isOverridden: boolean }): ResolvConf {
  const reachable = isOverridden ? conf.nameservers : conf.nameservers.filter((server) => !isLoopback(server) && !server.includes('%'));
  return { ...conf, nameservers: reachable.length > 0 ? reachable : publicServers };
}

/** For networks with names: the embedded server, which forwards to the others. */
export function embeddedResolvConf(conf: ResolvConf): ResolvConf {
  const hasNdots = conf.options.some((option) => option.startsWith('ndots:'));
  return { ...conf, nameservers: [embeddedServer], options: hasNdots ? conf.options : [...conf.options, 'ndots:0'] };
}

export function formatResolvConf({ nameservers, search, options }: ResolvConf): string {
  return [
    '# Made by Gantry at container start; changes made in the container stay until it is started again.',
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

function unlessEmpty(wished: readonly string[] | null | undefined, otherwise: readonly string[]): readonly string[] {
  return wished === null || wished === undefined || wished.length === 0 ? otherwise : wished;
}

function isLoopback(server: string): boolean {
  return server.startsWith('127.') || server === '::1';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
