import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { retryCodes, returnCodeOf } from './answer.ts';

const timeoutMs = 4_000;
const mostServers = 3;
const mostAtOnce = 1_024;

export type Transport = 'udp' | 'tcp';

/** Passes questions on from this machine's own network: its servers need not be reachable from a container, and 127.0.0.53 is. */
export class Forwarder {
  #running = 0;

  /**
   * The first useful answer of the first three servers, each given four seconds; a SERVFAIL or REFUSED counts only when nobody has
   * better. Undefined: no answer, or 1,024 questions are under way already.
   */
  async ask(message: Buffer, servers: readonly string[], transport: Transport): Promise<Buffer | undefined> {
    if (this.#running >= mostAtOnce) return undefined;
    this.#running += 1;
    try {
      let second: Buffer | undefined;
      for (const server of servers.slice(0, mostServers)) {
        const answer = await askOne(message, server, transport);
        if (answer !== undefined && !retryCodes.has(returnCodeOf(answer))) return answer;
        second ??= answer;
      }
      return second;
    } finally {
      this.#running -= 1;
    }
  }
}

/** Under an id and from a port of our own, so that nobody else can answer for the server by guessing. */
async function askOne(message: Buffer, server: string, transport: Transport): Promise<Buffer | undefined> {
  const id = randomInt(0x1_0000);
  const question = Buffer.from(message);
  question.writeUInt16BE(id);
  const answer = await (transport === 'udp' ? askUdp(question, server, id) : askTcp(question, server));
  if (answer === undefined || answer.length < 12 || answer.readUInt16BE() !== id) return undefined;
  message.copy(answer, 0, 0, 2);
  return answer;
}

function askUdp(question: Buffer, server: string, id: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    let isOpen = true;
    const done = (answer?: Buffer): void => {
      clearTimeout(timer);
      if (isOpen) socket.close();
      isOpen = false;
      resolve(answer);
    };
    const timer = setTimeout(done, timeoutMs);
    socket.on('error', () => done());
    socket.on('message', (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE() === id) done(answer);
    });
    // A connected socket takes datagrams from this server only, and hears at once that nobody listens there.
    socket.once('connect', () => socket.send(question));
    socket.connect(53, server);
  });
}

function askTcp(question: Buffer, server: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: server, port: 53 });
    let received = Buffer.alloc(0);
    const done = (answer?: Buffer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(done, timeoutMs);
    socket.on('error', () => done());
    socket.once('close', () => done());
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part]);
      const length = received.length >= 2 ? received.readUInt16BE() : Number.POSITIVE_INFINITY;
      if (received.length >= 2 + length) done(received.subarray(2, 2 + length));
    });
    socket.write(framed(question));
  });
}

/** RFC 1035 4.2.2: a length of two bytes before each message. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
