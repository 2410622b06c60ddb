import { connect } from 'node:net';

/**
 * Requests per second on one connection, one after the other. Bytes and one listener, not a client library and promises: what the client
 * costs would count as the engine's.
 */
export async function requestRate(socketPath: string, path: string, durationMs: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  const socket = connect(socketPath);
  let count = -1;
  let began = 0;
  /** Bytes of the answer that are to come; of one in chunks nobody knows. */
  let missing = 0;
  let tail: Buffer = Buffer.alloc(0);
  const read = (chunk: Buffer): void => {
    missing = (missing === 0 ? lengthOf(chunk) : missing) - chunk.length;
    if (missing === Infinity) tail = Buffer.concat([tail, chunk]).subarray(-lastChunk.length);
    if (missing === Infinity ? !tail.equals(lastChunk) : missing > 0) return;
    missing = 0;
    count += 1;
    const spentMs = performance.now() - began;
    // The first answer warms up and does not count.
    if (count === 0) began = performance.now();
    else if (spentMs >= durationMs) return resolve((count * 1000) / spentMs);
    socket.write(request);
  };
  socket.on('connect', () => socket.write(request));
  socket.on('data', (chunk: Buffer) => {
    try {
      read(chunk);
    } catch (error) {
      reject(error);
    }
  });
  socket.on('error', reject);
  socket.on('end', () => reject(new Error(`the engine ended the connection after ${count} answers`)));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

const lastChunk = Buffer.from('\r\n0\r\n\r\n');

/** Of a whole answer, by its first bytes. */
function lengthOf(first: Buffer): number {
  const text = first.toString('latin1', 0, 1024);
  const head = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1];
  if (head < 0 || !text.startsWith('HTTP/1.1 200')) throw new Error(text);
  if (/\r\ntransfer-encoding: chunked\r\n/i.test(text)) return Infinity;
  if (length === undefined) throw new Error(text);
  return head + 4 + Number(length);
}
