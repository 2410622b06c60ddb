import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

/*
 * Big bodies by one buffer and no client library, as a C or Go client sends and takes them: node's own client needs more time for the
 * bytes of an image than the engine does, and on a machine of two cores it takes that time from the engine.
 */

const bufferBytes = 1024 * 1024;

/** Takes the whole answer; throws when it is no success or ends early. Resolves with the bytes that came, headers among them. */
export async function download(socketPath: string, path: string): Promise<number> {
  const answer = new Answer();
  await exchange(socketPath, `GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`, answer);
  return answer.bytes;
}

/** Sends a file as the body; throws when the answer is no success or reports an error in its lines. */
export async function upload(socketPath: string, path: string, file: string): Promise<void> {
  const fd = openSync(file, 'r');
  try {
    const head = `POST ${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/x-tar\r\nContent-Length: ${fstatSync(fd).size}\r\n\r\n`;
    const answer = new Answer();
    await exchange(socketPath, head, answer, fd);
    if (answer.head.includes('"error":')) throw new Error(answer.head);
  } finally {
    closeSync(fd);
  }
}

async function exchange(socketPath: string, head: string, answer: Answer, fd?: number): Promise<void> {
  const socket = connect({
    path: socketPath,
    onread: { buffer: Buffer.allocUnsafeSlow(bufferBytes), callback: (size, buffer) => answer.take(Buffer.from(buffer.buffer, 0, size)) },
  });
  const closed = once(socket, 'close');
  socket.write(head);
  if (fd !== undefined) await sendAll(socket, fd);
  await closed;
  answer.check();
}

async function sendAll(socket: Socket, fd: number): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(bufferBytes);
  for (let size = readSync(fd, buffer); size > 0; size = readSync(fd, buffer)) {
    const sent = Promise.withResolvers<void>();
    socket.write(buffer.subarray(0, size), (error) => (error ? sent.reject(error) : sent.resolve()));
    await sent.promise;
  }
}

/** What came, of which only the ends are kept. */
class Answer {
  bytes = 0;
  head = '';
  #tail = '';

  take(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (this.head.length < 4096) this.head += chunk.toString('latin1', 0, 4096);
    this.#tail = (this.#tail + chunk.toString('latin1', Math.max(0, chunk.length - 8))).slice(-8);
    return true;
  }

  check(): void {
    if (!this.head.startsWith('HTTP/1.1 200')) throw new Error(this.head === '' ? 'no answer' : this.head);
    if (/^transfer-encoding: chunked/im.test(this.head) && !this.#tail.endsWith('0\r\n\r\n')) throw new Error('the answer ended early');
  }
}
