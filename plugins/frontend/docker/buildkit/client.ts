import type { Duplex } from 'node:stream';
import type { RegistryAuth } from '@gantry/sdk/transport';
import { byteStream, bytesOf } from './byte-stream.ts';
import { encode } from './messages.ts';
import type { Session } from './session.ts';

/** Undefined where the client has no login, or says so by an error. */
export async function credentials(session: Session, host: string, signal: AbortSignal): Promise<RegistryAuth | undefined> {
  const method = '/moby.filesync.v1.Auth/Credentials';
  if (!session.serves(method)) return undefined;
  const asked = host === 'docker.io' ? 'registry-1.docker.io' : host;
  const { username, secret } = await session.ask<{ readonly username: string; readonly secret: string }>(
    method,
    { name: 'CredentialsRequest', value: { host: asked } },
    'CredentialsResponse',
    signal,
  );
  if (secret === '') return undefined;
  return username === '' ? { identityToken: secret, serverAddress: host } : { username, password: secret, serverAddress: host };
}

export async function secretOf(session: Session, name: string, signal: AbortSignal): Promise<Buffer | undefined> {
  const method = '/moby.buildkit.secrets.v1.Secrets/GetSecret';
  if (!session.serves(method)) return undefined;
  try {
    const { data } = await session.ask<{ readonly data: Uint8Array }>(
      method,
      { name: 'SecretRequest', value: { ID: name } },
      'SecretResponse',
      signal,
    );
    return Buffer.from(data);
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'not_found') return undefined;
    throw error;
  }
}

/** What opens connections to the client's ssh agent of this name; undefined when the client forwards none of it. */
export async function agentOf(session: Session, name: string, signal: AbortSignal): Promise<(() => Duplex) | undefined> {
  const [check, forward] = ['/moby.sshforward.v1.SSH/CheckAgent', '/moby.sshforward.v1.SSH/ForwardAgent'];
  if (!session.serves(forward)) return undefined;
  try {
    await session.ask(check, { name: 'CheckAgentRequest', value: { ID: name } }, 'Empty', signal);
  } catch {
    signal.throwIfAborted();
    session.closed.throwIfAborted();
    return undefined;
  }
  return () => byteStream(session.open(forward, { 'buildkit.ssh.id': name }, signal));
}

/** What the client got on its standard input and offers under an address of its own: "http://buildkit-session/ID". */
export async function* uploadOf(session: Session, url: string, signal: AbortSignal): AsyncIterable<Buffer> {
  const { pathname, host } = new URL(url);
  using call = session.open('/moby.upload.v1.Upload/Pull', { urlpath: pathname, urlhost: host }, signal);
  yield* bytesOf(call);
}

/** Bytes to the client's file for the exporter of this number; resolves when it has all of them. */
export async function sendBytes(
  session: Session,
  { exporter, bytes }: { readonly exporter: number; readonly bytes: AsyncIterable<Buffer> },
  signal: AbortSignal,
): Promise<void> {
  using call = session.open(fileSend, exporterHeaders(exporter), signal);
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += mostMessageBytes)
      call.send(encode('BytesMessage', { data: chunk.subarray(at, at + mostMessageBytes) }));
    await call.taken();
  }
  call.end();
  for await (const _message of call);
}

export const fileSend = '/moby.filesync.v1.FileSend/DiffCopy';
const mostMessageBytes = 1024 * 1024;

export function exporterHeaders(exporter: number): Readonly<Record<string, string>> {
  return { 'buildkit-attachable-exporter-id': String(exporter) };
}
