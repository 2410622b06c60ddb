import { type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { unavailable } from '@gantry/sdk';
import { Agents } from './agents.ts';
import { networkFailure } from './failures.ts';
import type { RegistrySettings } from './settings.ts';

export interface Question {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | { readonly size: number; readonly content: AsyncIterable<Buffer> };
}

/** One request and one answer, over connections that are kept. No redirect, no credentials, no second try. */
export class Exchange implements Disposable {
  readonly #settings: RegistrySettings;
  readonly #agents: Agents;

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
    this.#agents = new Agents(settings);
  }

  /** The answer, its body not read yet: whoever asked reads it all or destroys it. `unavailable` when there is none in time. Abort ends it. */
  async ask({ method, url, headers = {}, body }: Question, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const size = body === undefined ? undefined : Buffer.isBuffer(body) ? body.length : body.size;
    const options = {
      method,
      signal,
      headers: { 'user-agent': 'gantry', ...headers, ...(size === undefined ? {} : { 'content-length': String(size) }) },
    };
    const asked = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, { ...options, agent: this.#agents.of(url) });
    const patience = new Patience(this.#settings.answerTimeoutMs, () =>
      asked.destroy(
        unavailable(`${url.host} did not answer in ${this.#settings.answerTimeoutMs} ms`, { hint: 'is the registry overloaded?' }),
      ),
    );
    try {
      const answered = new Promise<IncomingMessage>((resolve, reject) => asked.once('response', resolve).on('error', reject));
      // A registry that refuses early closes its end; its answer says more than that does.
      const sent = send(asked, body, patience).then(
        () => answered,
        (error: unknown) => (isClosed(error) ? answered : Promise.reject(error as Error)),
      );
      return await Promise.race([answered, sent]);
    } catch (error) {
      signal.throwIfAborted();
      throw networkFailure(error, url, { proxy: this.#agents.proxyOf(url) });
    } finally {
      patience.end();
    }
  }

  /** The body, chunk by chunk; `unavailable` with reason BLOB_INTERRUPTED when it breaks off or nothing comes for too long. */
  async *read(answer: IncomingMessage, { url, signal }: { readonly url: URL; readonly signal: AbortSignal }): AsyncIterable<Buffer> {
    const late = `${url.host} sent nothing for ${this.#settings.idleTimeoutMs} ms`;
    const patience = new Patience(this.#settings.idleTimeoutMs, () => answer.destroy(new Error(late)));
    const stop = (): void => void answer.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const chunk of answer) {
        patience.pause();
        yield chunk as Buffer;
        patience.again();
      }
    } catch (error) {
      signal.throwIfAborted();
      throw networkFailure(error, url, { reason: 'BLOB_INTERRUPTED' });
    } finally {
      patience.end();
      signal.removeEventListener('abort', stop);
      answer.destroy();
    }
  }

  [Symbol.dispose](): void {
    this.#agents[Symbol.dispose]();
  }
}

/** A deadline that starts again with everything that moves. */
class Patience {
  readonly #start: () => NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number, onEnd: () => void) {
    this.#start = () => setTimeout(onEnd, timeoutMs);
    this.#timer = this.#start();
  }

  again(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  /** While somebody else is slow. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(String(error.code));
}

async function send(asked: ReturnType<typeof httpRequest>, body: Question['body'], patience: Patience): Promise<void> {
  if (body === undefined || Buffer.isBuffer(body)) return void asked.end(body);
  const counted = async function* (): AsyncIterable<Buffer> {
    for await (const chunk of body.content) {
      yield chunk;
      patience.again();
    }
  };
  await pipeline(counted, asked);
}
