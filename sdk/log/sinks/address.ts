import { invalidArgument } from '../../errors.ts';

/** Where a receiver listens: a port of a host, or a socket's path. */
export type LogAddress<Scheme extends string = string> =
  | { readonly scheme: Scheme; readonly host: string; readonly port: number; readonly path?: undefined }
  | { readonly scheme: Scheme; readonly path: string; readonly host?: undefined };

export interface LogAddressRules<Scheme extends string> {
  readonly schemes: readonly Scheme[];
  /** Schemes whose address is a path. */
  readonly paths?: readonly Scheme[];
  /** Absent: the port must be given. */
  readonly port?: number;
  /** Of an address without one; absent: it must have one. */
  readonly scheme?: Scheme;
}

/** Reads `udp://host:514`, `unix:///dev/log`, …; IPv6 hosts stand in brackets. Fails with `invalid_argument` that names the option. */
export function parseLogAddress<Scheme extends string>(
  text: string,
  option: string,
  { schemes, paths = [], port: otherwise, scheme: assumed }: LogAddressRules<Scheme>,
): LogAddress<Scheme> {
  const whole = assumed !== undefined && !text.includes('://') ? `${assumed}://${text}` : text;
  const [, name = ''] = /^([a-z+]+):\/\//.exec(whole) ?? [];
  if (name === '') throw invalidArgument(`${option} should be in form proto://address, got ${text}`);
  const scheme = schemes.find((known) => known === name);
  if (scheme === undefined) throw invalidArgument(`unsupported scheme: '${name}'`, { hint: `${option} knows ${schemes.join(', ')}` });
  if (paths.includes(scheme)) {
    const path = whole.slice(`${name}://`.length);
    if (!path.startsWith('/') || path.includes('\0')) throw invalidArgument(`${option}=${text}: must have an absolute path`);
    return { scheme, path };
  }
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url === undefined || url.hostname === '' || !/^\/?$/.test(url.pathname) || `${url.username}${url.search}${url.hash}` !== '') {
    throw invalidArgument(`invalid ${option} ${text}: must be ${name}://host:port`);
  }
  const port = url.port === '' ? otherwise : Number(url.port);
  if (port === undefined || port === 0) throw invalidArgument(`please provide ${option} as ${name}://host:port, got ${text}`);
  return { scheme, host: url.hostname.replaceAll(/[[\]]/g, ''), port };
}
