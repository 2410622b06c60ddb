import { readFileSync, statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { fromErrno, invalidArgument } from '@gantry/sdk';
import { field, isObject, textOf } from './answer.ts';
import type { Scope } from './settings.ts';

export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure: boolean;
}
/** Where a plugin listens. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string; readonly scopes: readonly Scope[] }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly path: string; readonly tls?: TlsFiles };

/** A spec file is written by people: it is short. */
const longestFile = 64 * 1024;

/** Reads NAME.spec (one line, a URL) or NAME.json (`Addr`, `TLSConfig`). What it says wrong is `invalid_argument` with the file's name. */
export function readAddress(file: string): Address {
  const text = read(file).trim();
  if (!file.endsWith('.json')) return addressOf(text, file);
  const { Addr: url, tls } = parseJson(text, file);
  return addressOf(url, file, tls);
}

/** Two addresses with the same identity are the same start of the same plugin, as far as can be seen from outside; undefined: nobody is there. */
export function identityOf(address: Address): string | undefined {
  if (address.kind === 'tcp') return JSON.stringify(address);
  const found = statSync(address.path, { throwIfNoEntry: false, bigint: true });
  return found?.isSocket() === true ? `${address.path} ${found.dev}:${found.ino}:${found.ctimeNs}` : undefined;
}

export function describe(address: Address): string {
  return address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
}

function addressOf(url: string, file: string, tls?: TlsFiles): Address {
  const bad = (why: string) => invalidArgument(`${file}: ${JSON.stringify(url.slice(0, 200))} ${why}`);
  if (url.startsWith('unix://')) {
    const path = url.slice('unix://'.length);
    if (!isAbsolute(path) || path.includes('\0') || path.includes('\n')) throw bad('is not unix:///path');
    return { kind: 'unix', path, scopes: [] };
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !['tcp:', 'http:', 'https:'].includes(parsed.protocol)) throw bad('is neither unix:// nor tcp://');
  const secure = parsed.protocol === 'https:' || tls !== undefined;
  const port = Number(parsed.port || (secure ? 443 : 80));
  if (parsed.hostname === '') throw bad('has no host');
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  const at = { kind: 'tcp', host, port, path: parsed.pathname.replace(/\/+$/, '') } as const;
  return secure ? { ...at, tls: tls ?? { insecure: false } } : at;
}

function parseJson(text: string, file: string): { readonly Addr: string; readonly tls?: TlsFiles } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidArgument(`${file} is not JSON`, { cause: error });
  }
  if (!isObject(value)) throw invalidArgument(`${file} must be an object with Addr`);
  const config = field(value, 'TLSConfig');
  const Addr = textOf(value, 'Addr');
  if (!isObject(config)) return { Addr };
  const [ca, cert, key] = [textOf(config, 'CAFile'), textOf(config, 'CertFile'), textOf(config, 'KeyFile')];
  const insecure = field(config, 'InsecureSkipVerify') === true;
  return { Addr, tls: { insecure, ...(ca === '' ? {} : { ca }), ...(cert === '' ? {} : { cert }), ...(key === '' ? {} : { key }) } };
}

function read(file: string): string {
  try {
    const size = statSync(file).size;
    if (size > longestFile) throw invalidArgument(`${file} has ${size} bytes; at most ${longestFile}`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw fromErrno(error, `read ${file}`);
  }
}
