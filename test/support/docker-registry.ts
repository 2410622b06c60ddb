import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Debian's docker-registry on loopback, its files below a folder. Answers its host and port; ended by dispose. */
export async function dockerRegistry(folder: string): Promise<{ readonly host: string } & AsyncDisposable> {
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'config.json');
  const storage = { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } };
  writeFileSync(config, JSON.stringify({ version: 0.1, log: { level: 'error' }, storage, http: { addr: host } }));
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

async function isUp(host: string): Promise<boolean> {
  try {
    return (await fetch(`http://${host}/v2/`, { headers: { connection: 'close' } })).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
