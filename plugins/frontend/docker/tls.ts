import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { ServerOptions } from 'node:https';
import { isIP } from 'node:net';
import { fromErrno, invalidArgument, messageOf } from '@gantry/sdk';
import type { TlsFiles } from '@gantry/sdk/frontend';

/** Mutual TLS: who has no certificate of the authority is not even heard. */
export interface Tls {
  readonly options: ServerOptions;
  /** Undefined when the request may be served; else why not, with the status. */
  readonly refusal: (request: IncomingMessage) => { readonly status: number; readonly message: string } | undefined;
}

/** Reads the three files; `invalid_argument` names the one that is none of what it should be. */
export function readTls({ caFile, certFile, keyFile }: TlsFiles): Tls {
  const [ca, cert, key] = [read(caFile), read(certFile), read(keyFile)];
  certificate(caFile, ca);
  const own = certificate(certFile, cert);
  return {
    options: { ca, cert, key, allowHalfOpen: true, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' },
    refusal: (request) => refusalOf(request, own),
  };
}

/**
 * No browser is a client: whatever page sends a request there, its name is in Origin, or, when the page made its own name mean our address, in
 * Host.
 */
function refusalOf({ headers }: IncomingMessage, own: X509Certificate): ReturnType<Tls['refusal']> {
  if (headers.origin !== undefined) return { status: 403, message: 'requests of web pages are not served' };
  const name = (headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  if (isOwnName(own, name)) return undefined;
  return { status: 421, message: `the server's certificate is not for host ${JSON.stringify(name)}` };
}

function isOwnName(own: X509Certificate, name: string): boolean {
  if (name === '') return false;
  try {
    return (isIP(name) === 0 ? own.checkHost(name) : own.checkIP(name)) !== undefined;
  } catch {
    // What is no name at all: OpenSSL says so by throwing.
    return false;
  }
}

function certificate(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw invalidArgument(`${file} is no certificate: ${messageOf(error)}`, { cause: error });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw fromErrno(error, 'read for TLS');
  }
}
