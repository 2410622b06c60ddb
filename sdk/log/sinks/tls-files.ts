import { readFileSync } from 'node:fs';
import { errnoNameOf, invalidArgument, messageOf } from '../../errors.ts';

export interface TlsFilesOptions {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** The receiver's certificate is not checked. */
  readonly skipVerify?: boolean | undefined;
  /** The name that the receiver's certificate must have, when it is not the host's. */
  readonly serverName?: string | undefined;
}
/** For node:tls and node:https. */
export interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly rejectUnauthorized: boolean;
  readonly servername?: string;
}

/** Reads what the options name. Fails with `invalid_argument` that names the file: one that is not there, a certificate without its key. */
export function readTlsFiles({ caFile, certFile, keyFile, skipVerify = false, serverName }: TlsFilesOptions): TlsFiles {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw invalidArgument(`a client certificate needs its key, and a key its certificate: ${certFile ?? keyFile ?? ''} has none`);
  }
  return {
    ...(caFile === undefined ? {} : { ca: pemIn(caFile) }),
    ...(certFile === undefined ? {} : { cert: pemIn(certFile) }),
    ...(keyFile === undefined ? {} : { key: pemIn(keyFile) }),
    rejectUnauthorized: !skipVerify,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

function pemIn(path: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const reason = errnoNameOf(error) === 'ENOENT' ? 'no such file or directory' : messageOf(error);
    throw invalidArgument(`open ${path}: ${reason}`, { cause: error });
  }
  if (!bytes.includes('-----BEGIN ')) throw invalidArgument(`${path} has no certificate or key in it`);
  return bytes;
}
