import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { fromErrno, GantryError, internal, messageOf, unavailable } from '@gantry/sdk';
import { type Address, describe } from './address.ts';

/** Longer answers are refused: a plugin must not fill the engine's memory. */
const longestAnswer = 4 * 1024 * 1024;
const longestError = 2_000;
/** A connection that nobody used so long is closed by us, before the plugin might do it while we send. */
const idleMs = 30_000;
const accept = 'application/vnd.docker.plugins.v1.2+json';

export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

/** HTTP to one plugin, over connections that are kept. Nothing is ever sent twice. */
export class Transport implements Disposable {
  readonly #address: Address;
  readonly #agent: Agent;
  readonly #options: RequestOptions;
  readonly #host: string;

  constructor(address: Address) {
    this.#address = address;
    const keep = { keepAlive: true, timeout: idleMs, maxFreeSockets: 4 };
    if (address.kind === 'tcp' && address.tls !== undefined) {
      const { ca, cert, key, insecure } = address.tls;
      this.#agent = new TlsAgent({
        ...keep,
        rejectUnauthorized: !insecure,
        ...(ca === undefined ? {} : { ca: load(ca) }),
        ...(cert === undefined ? {} : { cert: load(cert) }),
        ...(key === undefined ? {} : { key: load(key) }),
      });
    } else this.#agent = new Agent(keep);
    this.#options = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
    this.#host = address.kind === 'unix' ? 'plugin.moby.localhost' : `${address.host}:${address.port}`;
  }

  /** The whole answer, whatever its status. An abort ends the request and rejects with the signal's reason. */
  async post(method: string, body: string, signal: AbortSignal): Promise<Reply> {
    const response = await this.open(method, body, signal);
    try {
      return { status: response.statusCode ?? 0, body: await collect(response) };
    } catch (error) {
      throw this.#failure(error, method, signal);
    } finally {
      // Ended ones went back to the agent already.
      if (!response.complete) response.destroy();
    }
  }

  /** The answer's head; its body is to be read by the caller, who destroys it when it does not. */
  async open(method: string, body: string, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const bytes = Buffer.from(body);
    const isTls = this.#address.kind === 'tcp' && this.#address.tls !== undefined;
    const prefix = this.#address.kind === 'tcp' ? this.#address.path : '';
    const request = (isTls ? httpsRequest : httpRequest)({
      ...this.#options,
      agent: this.#agent,
      method: 'POST',
      path: `${prefix}/${method}`,
      headers: { host: this.#host, accept, 'content-length': bytes.length },
      signal,
    });
    request.once('response', resolve);
    request.on('error', reject);
    request.end(bytes);
    try {
      return await promise;
    } catch (error) {
      throw this.#failure(error, method, signal);
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #failure(error: unknown, method: string, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (GantryError.is(error)) return error;
    return unavailable(`plugin at ${describe(this.#address)}: ${method}: ${messageOf(error)}`, {
      cause: error,
      hint: 'check that the plugin is running',
    });
  }
}

/** A refusal's text without what would harm a terminal or a log. */
export function plainText(text: string): string {
  return text
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, longestError);
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > longestAnswer) throw internal(`the plugin answered more than ${longestAnswer} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function load(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw fromErrno(error, `read ${file}`);
  }
}
