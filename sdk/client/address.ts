import { invalidArgument } from '../errors.ts';

/** Where an engine listens. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Reads `unix:///run/x.sock`, `/run/x.sock`, `tcp://host:port` or `host:port`. Refuses the rest with `invalid_argument`. */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix://')) return unixAddress(text, text.slice('unix://'.length));
  if (text.startsWith('/')) return unixAddress(text, text);
  if (/^(ssh|npipe|https?|fd):\/\//.test(text)) {
    const [scheme] = text.split(':');
    throw invalidArgument(`host ${quote(text)}: ${scheme} addresses are not supported`, { hint: 'use unix:///path or tcp://host:port' });
  }
  return tcpAddress(text, text.startsWith('tcp://') ? text.slice('tcp://'.length) : text);
}

/** The address as users write it. */
export function showAddress(address: Address): string {
  return address.kind === 'unix' ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`;
}

// sun_path holds 108 bytes with its final zero: unix(7)
const maxSocketPathBytes = 107;

function unixAddress(text: string, path: string): Address {
  if (!path.startsWith('/')) throw invalidArgument(`host ${quote(text)}: the path of a unix socket must be absolute`);
  if (path.includes('\0') || Buffer.byteLength(path) > maxSocketPathBytes) {
    throw invalidArgument(`host ${quote(text)}: the path of a unix socket has at most ${maxSocketPathBytes} bytes`);
  }
  return { kind: 'unix', path };
}

function tcpAddress(text: string, rest: string): Address {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:/[\]\s]+):(\d{1,5})\/?$/.exec(rest);
  const [, host = '', digits = ''] = match ?? [];
  const port = Number(digits);
  if (match === null || port < 1 || port > 65_535) {
    throw invalidArgument(`host ${quote(text)} is not an address`, { hint: 'use unix:///path or tcp://host:port' });
  }
  return { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
