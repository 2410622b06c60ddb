import { connect as connectPlain, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { untilAborted } from '../../author/keyed-queue.ts';
import { messageOf, unavailable } from '../../errors.ts';
import type { LogAddress } from './address.ts';
import type { TlsFiles } from './tls-files.ts';

export interface LogConnectionOptions {
  readonly address: LogAddress;
  /** Absent: in plain. */
  readonly tls?: TlsFiles | undefined;
  /** Until it stands; 5 s unless given. */
  readonly connectMs?: number;
  /** How long an answer may take; 30 s unless given. */
  readonly answerMs?: number;
}

/**
 * How long after the last byte a receiver may still turn out to have gone. Protocols without acknowledgements have no better sign: one that was killed answers the
 * bytes with a reset, which takes as long as they took to get there.
 */
const settleMs = 15;
const keepAliveMs = 30_000;

/**
 * One connection to a receiver of log entries, made when it is first needed and made anew after it broke. One call at a time. What cannot be sent is `unavailable`, naming
 * the address: how much of it arrived is then not known, so send it all again.
 */
export class LogConnection implements AsyncDisposable {
  readonly #options: LogConnectionOptions;
  #link: Link | undefined;

  constructor(options: LogConnectionOptions) {
    this.#options = options;
  }

  /** Resolves when the receiver's end of the connection has all bytes, as far as can be known; waits as long as it does not read. Rejects with the signal's reason. */
  async send(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#doing(signal, async (link) => {
      await link.write(bytes, signal);
      await link.during(sleep(settleMs), signal);
    });
  }

  /** Sends, and resolves with what `parse` makes of the bytes that come back, from the first on; undefined means that more are needed. What it throws breaks the connection. */
  async ask<T>(bytes: Uint8Array, parse: (answer: Buffer) => T | undefined, signal: AbortSignal): Promise<T> {
    const { answerMs = 30_000 } = this.#options;
    return this.#doing(signal, async (link) => {
      using answer = link.answer(parse, answerMs);
      await link.write(bytes, signal);
      return await link.during(answer.whole, signal);
    });
  }

  /** Ends it after what was sent; waits at most a second for the receiver to end it, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    await link?.end();
  }

  async #doing<T>(signal: AbortSignal, work: (link: Link) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    try {
      this.#link ??= await connected(this.#options, signal);
      return await work(this.#link);
    } catch (error) {
      this.#link?.destroy();
      this.#link = undefined;
      signal.throwIfAborted();
      throw unavailable(`${nameOf(this.#options.address)}: ${messageOf(error)}`, { cause: error, reason: 'RECEIVER_AWAY' });
    }
  }
}

class Link {
  readonly #socket: Socket;
  /** Whoever waits for something that will not come when the receiver has gone. */
  readonly #waiting = new Set<(reason: unknown) => void>();
  #gone: { readonly reason: unknown } | undefined;
  #onData: ((chunk: Buffer) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('error', (error) => this.#end(error));
    socket.on('end', () => this.#end(new Error('the receiver ended the connection')));
    socket.on('close', () => this.#end(new Error('the connection is closed')));
    // Whatever nobody asked for is read and forgotten: the receiver must not wait for us.
    socket.on('data', (chunk: Buffer) => this.#onData?.(chunk));
  }

  write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Its error comes as an event.
    this.#socket.write(bytes, (error) => (error ? undefined : resolve()));
    return this.during(promise, signal);
  }

  answer<T>(parse: (answer: Buffer) => T | undefined, withinMs: number): Disposable & { readonly whole: Promise<T> } {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => reject(new Error(`no answer after ${withinMs} ms`)), withinMs);
    let all: Buffer = Buffer.alloc(0);
    this.#onData = (chunk) => {
      all = Buffer.concat([all, chunk]);
      try {
        const found = parse(all);
        if (found !== undefined) resolve(found);
        if (all.length > longestAnswer) throw new Error(`an answer of more than ${longestAnswer} bytes`);
      } catch (error) {
        reject(error);
      }
    };
    promise.catch(() => {});
    const forget = (): void => {
      clearTimeout(timer);
      this.#onData = undefined;
    };
    return { whole: promise, [Symbol.dispose]: forget };
  }

  /** Rejects when the connection breaks meanwhile, or the signal is aborted. */
  during<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#gone !== undefined) reject(this.#gone.reason);
    this.#waiting.add(reject);
    void work.then(resolve, reject);
    return untilAborted(promise, signal).finally(() => this.#waiting.delete(reject));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #end(reason: unknown): void {
    this.#gone ??= { reason };
    for (const reject of this.#waiting) reject(this.#gone.reason);
  }

  async end(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    if (this.#socket.closed) return;
    this.#socket.end();
    await Promise.race([closed, sleep(endMs, undefined, { ref: false })]);
    this.#socket.destroy();
  }
}

const longestAnswer = 64 * 1024;
const endMs = 1_000;

async function connected({ address, tls, connectMs = 5_000 }: LogConnectionOptions, signal: AbortSignal): Promise<Link> {
  const target = address.path === undefined ? { host: address.host, port: address.port } : { path: address.path };
  const socket = tls === undefined ? connectPlain(target) : connectTls({ ...target, ...tls });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`no connection after ${connectMs} ms`)), connectMs);
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  socket.once('error', reject);
  socket.once(tls === undefined ? 'connect' : 'secureConnect', () => resolve());
  try {
    await promise;
    return new Link(socket);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    socket.off('error', reject);
    // The destroyed one may still complain.
    if (socket.destroyed) socket.on('error', () => {});
  }
}

function nameOf(address: LogAddress): string {
  if (address.path !== undefined) return `${address.scheme}://${address.path}`;
  return `${address.scheme}://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
