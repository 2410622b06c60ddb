import { Agent as PlainAgent, request as requestPlain, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as requestTls } from 'node:https';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { messageOf, unavailable } from '../../errors.ts';
import type { Logger } from '../../types/index.ts';
import type { TlsFiles } from './tls-files.ts';

export interface HttpSinkOptions {
  /** A user and password in it are sent as basic authentication. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole of one request. */
  readonly timeoutMs: number;
  readonly gzip?: boolean;
  readonly tls?: TlsFiles | undefined;
}
export interface PostedBatch {
  readonly body: string;
  readonly contentType: string;
  /** How many are in it, for who is told that they were refused. */
  readonly entries: number;
}

const compressed = promisify(gzip);
const longestAnswer = 500;
const neverTaken: ReadonlySet<number> = new Set([400, 413, 422]);

/** Posts batches to one address over connections that are kept. One call at a time. */
export class HttpSink implements Disposable {
  readonly #options: HttpSinkOptions;
  readonly #url: URL;
  readonly #agent: PlainAgent | TlsAgent;

  constructor(options: HttpSinkOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.#agent =
      this.#url.protocol === 'https:'
        ? new TlsAgent({ keepAlive: true, maxSockets: 1, ...options.tls })
        : new PlainAgent({ keepAlive: true, maxSockets: 1 });
  }

  /**
   * Resolves when the receiver has answered 2xx; or that it will never take this batch (400, 413, 422), which is counted in the log and dropped, since it would stand in
   * the way of all that follows. `unavailable` for anything else, so that it is sent again: no answer in time, 401, 429, 503, …, with what Retry-After says.
   */
  async post(
    { body, contentType, entries }: PostedBatch,
    { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
  ): Promise<void> {
    const where = `${this.#url.protocol}//${this.#url.host}${this.#url.pathname}`;
    const bytes = this.#options.gzip === true ? await compressed(body) : Buffer.from(body);
    const answer = await this.#send(bytes, contentType, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw unavailable(`${where}: ${messageOf(error)}`, { cause: error, reason: 'RECEIVER_AWAY' });
    });
    if (answer.status >= 200 && answer.status < 300) return;
    const said = `${where} answered ${answer.status}${answer.text === '' ? '' : `: ${answer.text}`}`;
    if (neverTaken.has(answer.status)) return log.warn({ lost: entries }, `log entries were refused: ${said}`);
    throw unavailable(said, { reason: 'RECEIVER_REFUSED', ...(answer.retryAfterMs > 0 ? { retryAfterMs: answer.retryAfterMs } : {}) });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #send(bytes: Buffer, contentType: string, signal: AbortSignal) {
    const { headers, timeoutMs, gzip: isCompressed = false } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = (this.#url.protocol === 'https:' ? requestTls : requestPlain)(this.#url, {
      method: 'POST',
      agent: this.#agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      headers: {
        ...headers,
        'content-type': contentType,
        'content-length': bytes.length,
        ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
      },
    });
    // More than one error may come of a request, and each must have a listener.
    request.once('response', resolve).on('error', reject).end(bytes);
    const answer = await promise;
    const seconds = Number(answer.headers['retry-after']);
    return {
      status: answer.statusCode ?? 0,
      text: (await text(answer)).trim().slice(0, longestAnswer),
      retryAfterMs: seconds > 0 ? seconds * 1_000 : 0,
    };
  }
}
