import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Duplex, pipeline } from 'node:stream';
import type { RunMount } from '../parse/mounts.ts';

/** A socket on which each connection is one to the agent of whoever builds. Connections end, and the socket goes, when it is disposed. */
export async function agentSocket(
  runDir: string,
  connect: () => Duplex,
  { mode = 0o600, uid, gid }: Pick<RunMount, 'mode' | 'uid' | 'gid'>,
): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = join(runDir, 'ssh');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, randomUUID().slice(0, 8));
  const open = new Set<Duplex>();
  const server = createServer((socket) => {
    const agent = connect();
    for (const end of [socket, agent]) open.add(end);
    pipeline(socket, agent, socket, () => {
      for (const end of [socket, agent]) open.delete(end.destroy());
    });
  });
  server.listen(path);
  await once(server, 'listening');
  chownSync(path, uid, gid);
  chmodSync(path, mode);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      for (const end of open) end.destroy();
      server.close();
      await once(server, 'close');
      rmSync(path, { force: true });
    },
  };
}
