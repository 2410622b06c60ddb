import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';

/** Requests per second on one connection, one after the other. Bytes, not a client library: its cost would count as the engine's. */
export async function requestRate(socketPath: string, path: string, durationMs: number): Promise<number> {
  const socket = connect(socketPath);
  await once(socket, 'connect');
  const request = `GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`;
  let count = 0;
  await ask(socket, request);
  const began = performance.now();
  for (const deadline = began + durationMs; performance.now() < deadline; count += 1) await ask(socket, request);
  const spentMs = performance.now() - began;
  socket.destroy();
  return (count * 1000) / spentMs;
}

function ask(socket: Socket, request: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const chunks: Buffer[] = [];
  const read = (chunk: Buffer): void => {
    chunks.push(chunk);
    if (!isWhole(chunks)) return;
    socket.off('data', read).off('error', reject);
    resolve();
  };
  socket.on('data', read).on('error', reject);
  socket.write(request);
  return promise;
}

function isWhole(chunks: readonly Buffer[]): boolean {
  const [first = Buffer.alloc(0)] = chunks;
  const head = first.indexOf('\r\n\r\n');
  if (head === -1) throw new Error('the headers came in pieces');
  const headers = first.toString('latin1', 0, head);
  if (!headers.startsWith('HTTP/1.1 200')) throw new Error(first.toString('latin1', 0, 200));
  const length = /^content-length: (\d+)/im.exec(headers)?.[1];
  const received = chunks.reduce((sum, { length: size }) => sum + size, 0);
  if (length !== undefined) return received === head + 4 + Number(length);
  return chunks.at(-1)?.subarray(-5).toString('latin1') === '0\r\n\r\n';
}
