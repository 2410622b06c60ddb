import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { cancelled, type ErrorCode, GantryError, unavailable } from '@gantry/sdk';
import { decode, encode, type MessageName } from './messages.ts';

/** Codes of gRPC's statuses that mean something here. */
const codes: Readonly<Record<string, ErrorCode>> = {
  1: 'cancelled',
  5: 'not_found',
  12: 'not_implemented',
  14: 'unavailable',
  16: 'unauthorized',
};
const maxMessageBytes = 64 * 2 ** 20;

/** A client that is asked: gRPC over the connection that it opened, on which it is the server. */
export class Session implements Disposable {
  readonly #http: ClientHttp2Session;
  readonly #methods: ReadonlySet<string>;
  readonly closed: AbortSignal;

  constructor(socket: Duplex, methods: readonly string[]) {
    const closed = new AbortController();
    this.closed = closed.signal;
    this.#methods = new Set(methods.map((method) => method.toLowerCase()));
    this.#http = connect('http://session', { createConnection: () => socket });
    this.#http.on('error', () => this.#http.destroy());
    this.#http.on('close', () => closed.abort(cancelled('the client of the build went away')));
  }

  /** Whether the client said that it answers this: "/moby.filesync.v1.FileSync/DiffCopy". */
  serves(method: string): boolean {
    return this.#methods.has(method.toLowerCase());
  }

  /** One question, one answer. Rejects with what the client says. */
  async ask<T>(
    method: string,
    question: { readonly name: MessageName; readonly value: object },
    answer: MessageName,
    signal: AbortSignal,
  ): Promise<T> {
    using call = this.open(method, {}, signal);
    call.send(encode(question.name, question.value));
    call.end();
    let found: Buffer | undefined;
    for await (const message of call) found ??= message;
    if (found === undefined) throw unavailable(`the client answered nothing to ${method}`);
    return decode<T>(answer, found);
  }

  /** Messages both ways. `headers` become metadata; a name may have several values. */
  open(method: string, headers: Readonly<Record<string, string | readonly string[]>>, signal: AbortSignal): SessionCall {
    signal.throwIfAborted();
    this.closed.throwIfAborted();
    const given = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
    );
    const stream = this.#http.request({ ':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers', ...given });
    return new SessionCall(stream, AbortSignal.any([signal, this.closed]));
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
  }
}

/** One call: framed messages out, and in. Disposing ends it, done or not. */
export class SessionCall implements AsyncIterable<Buffer>, Disposable {
  readonly #stream: ClientHttp2Stream;
  readonly #signal: AbortSignal;
  #status: { readonly code: string; readonly message: string } | undefined;

  constructor(stream: ClientHttp2Stream, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    const heard = (headers: Readonly<Record<string, unknown>>): void => {
      const [code, message] = [headers['grpc-status'], headers['grpc-message']];
      if (typeof code === 'string') this.#status = { code, message: typeof message === 'string' ? unescaped(message) : '' };
    };
    stream.on('response', heard);
    stream.on('trailers', heard);
    stream.on('error', () => stream.destroy());
    signal.addEventListener('abort', () => stream.destroy(), { once: true });
  }

  /** gRPC's frame: not compressed, length, message. */
  send(message: Buffer): void {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    this.#stream.write(Buffer.concat([head, message]));
  }

  /** Resolves when the client has taken most of what was sent, or is gone. */
  taken(): Promise<void> {
    return new Promise((resolve) => this.onTaken(resolve));
  }

  onTaken(done: () => void): void {
    const stream = this.#stream;
    if (!stream.writableNeedDrain || stream.destroyed) return done();
    const once = (): void => {
      stream.off('drain', once).off('close', once);
      done();
    };
    stream.on('drain', once).on('close', once);
  }

  end(): void {
    this.#stream.end();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    let buffer: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#stream) {
      buffer = buffer.length === 0 ? (chunk as Buffer) : Buffer.concat([buffer, chunk as Buffer]);
      for (;;) {
        if (buffer.length < 5) break;
        const length = buffer.readUInt32BE(1);
        if (length > maxMessageBytes) throw unavailable(`a message of ${length} bytes`);
        if (buffer.length < 5 + length) break;
        yield buffer.subarray(5, 5 + length);
        buffer = buffer.subarray(5 + length);
      }
    }
    this.#signal.throwIfAborted();
    if (this.#status !== undefined && this.#status.code !== '0')
      throw new GantryError(codes[this.#status.code] ?? 'invalid_argument', this.#status.message || `status ${this.#status.code}`);
  }

  [Symbol.dispose](): void {
    if (!this.#stream.closed) this.#stream.close();
  }
}

/** Percent-encoded by gRPC, if the client did it right. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Those that are open now. A build may come before the session that it names. */
export class Sessions {
  readonly #open = new Map<string, Session>();
  readonly #waiting = new Map<string, (() => void)[]>();

  add(id: string, session: Session): void {
    this.#open.set(id, session);
    session.closed.addEventListener('abort', () => {
      if (this.#open.get(id) === session) this.#open.delete(id);
    });
    for (const wake of this.#waiting.get(id) ?? []) wake();
    this.#waiting.delete(id);
  }

  /** Waits for it; `unavailable` when it does not come. */
  async get(id: string, signal: AbortSignal): Promise<Session> {
    if (!this.#open.has(id)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve]);
      const timer = setTimeout(resolve, comesWithinMs);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      clearTimeout(timer);
      signal.throwIfAborted();
    }
    const session = this.#open.get(id);
    if (session === undefined) throw unavailable(`no active session for ${id.slice(0, 80)}`);
    return session;
  }
}

const comesWithinMs = 5_000;
