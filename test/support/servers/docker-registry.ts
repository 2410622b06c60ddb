import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Certificate } from './certificates.ts';

export interface RegistryOptions {
  /** Default 127.0.0.1. */
  readonly address?: string;
  readonly tls?: Certificate;
  /** Authority whose clients alone are let in. */
  readonly clientCa?: string;
  /** Lets in only user "me" with password "secret". */
  readonly isClosed?: boolean;
}

/** bcrypt of "secret". */
const users = 'me:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';

/** Debian's docker-registry, its files below a folder. Answers its host and port; ended by dispose. */
export async function dockerRegistry(
  folder: string,
  { address = '127.0.0.1', tls, clientCa, isClosed = false }: RegistryOptions = {},
): Promise<{ readonly host: string } & AsyncDisposable> {
  const host = `${address}:${await freePort(address)}`;
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'config.json');
  const storage = { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } };
  const secured = tls && { tls: { certificate: tls.cert, key: tls.key, ...(clientCa !== undefined && { clientcas: [clientCa] }) } };
  const passwords = join(folder, 'passwords');
  writeFileSync(passwords, users);
  const auth = isClosed && { auth: { htpasswd: { realm: 'test', path: passwords } } };
  writeFileSync(config, JSON.stringify({ version: 0.1, log: { level: 'error' }, storage, http: { addr: host, ...secured }, ...auth }));
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (let tries = 0; !(await isUp(host)); tries += 1) {
    if (tries > 200 || child.exitCode !== null) throw new Error('docker-registry does not start');
    await sleep(25);
  }
  return {
    host,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** What it says, and whether it believes who asks, is for the tests. */
async function isUp(host: string): Promise<boolean> {
  const [address = '', port = ''] = host.split(':');
  const socket = connect(Number(port), address);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
