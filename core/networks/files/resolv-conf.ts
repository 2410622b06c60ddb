import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { HostConfig } from '@gantry/sdk/engine';
import type { NetworkDefaults } from '../defaults.ts';

export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}
type ResolverWishes = Pick<HostConfig, 'Dns' | 'DnsSearch' | 'DnsOptions'>;

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

/** The container's own wishes, or the engine's defaults, in the place of what the machine uses. */
export function wishedResolvConf(
  hostConfig: HostConfig,
  { defaults: { dns, dnsSearch, dnsOptions }, behindStub }: { readonly defaults: NetworkDefaults; readonly behindStub: boolean },
): ResolvConf {
  const byDefault = withWishes(hostResolvConf({ behindStub }), {
    Dns: dns ?? null,
    DnsSearch: dnsSearch ?? null,
    DnsOptions: dnsOptions ?? null,
  });
  return withWishes(byDefault, hostConfig);
}

function withWishes(host: ResolvConf, { Dns, DnsSearch, DnsOptions }: ResolverWishes): ResolvConf {
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

/** With the sum of its lines in its first one, so that it shows whether a container changed it. */
export function formatResolvConf({ nameservers, search, options }: ResolvConf): string {
  const lines = [
    ...nameservers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
  return `${headline(lines)}\n${lines}`;
}

/** Whether a file is as formatResolvConf() wrote it. */
export function isUntouched(text: string): boolean {
  const end = text.indexOf('\n');
  return text.slice(0, end) === headline(text.slice(end + 1));
}

function headline(lines: string): string {
  return `# Made by Gantry. Follows the container's networks while nothing in it is changed (${hash('sha256', lines).slice(0, 12)}).`;
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
