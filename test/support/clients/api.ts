import { Agent, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface ApiCall {
  readonly json?: unknown;
  readonly body?: Uint8Array | Readable;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * The Docker API of any engine over a unix socket, by kept-alive connections and without interpretation: a test sees the status and the bytes.
 * (The command line's own client is in sdk/client; it would hide what these tests look at.)
 */
export class Api implements Disposable {
  readonly socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** The whole answer, whatever its status. Rejects when the connection fails, as it does when the engine is killed. */
  async call(method: string, path: string, given: ApiCall = {}): Promise<ApiAnswer> {
    const answer = await this.open(method, path, given);
    return { status: answer.statusCode ?? 0, body: await text(answer) };
  }

  /** The answer's JSON; throws for a status of 400 or more, with the engine's words. */
  async json<T>(method: string, path: string, given: ApiCall = {}): Promise<T> {
    const { status, body } = await this.call(method, path, given);
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${body.trim()}`);
    return (body === '' ? undefined : JSON.parse(body)) as T;
  }

  /** For streams of JSON lines, which report errors inside: throws for those too. */
  async stream(method: string, path: string, given: ApiCall = {}): Promise<string> {
    const { status, body } = await this.call(method, path, given);
    const error = /"error":"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
    if (status >= 400 || error !== undefined) throw new Error(`${method} ${path}: ${status} ${error ?? body.trim()}`);
    return body;
  }

  /** The answer with its body unread. */
  async open(method: string, path: string, { json, body, headers = {}, signal }: ApiCall = {}): Promise<IncomingMessage> {
    const answered = Promise.withResolvers<IncomingMessage>();
    const payload = json === undefined ? body : Buffer.from(JSON.stringify(json));
    const type = json === undefined ? 'application/x-tar' : 'application/json';
    const length = payload instanceof Uint8Array ? { 'content-length': payload.length } : {};
    const asked = request({
      socketPath: this.socketPath,
      method,
      path,
      agent: this.#agent,
      headers: payload === undefined ? headers : { 'content-type': type, ...length, ...headers },
      ...(signal === undefined ? {} : { signal }),
    });
    asked.on('response', answered.resolve);
    asked.on('error', answered.reject);
    if (payload === undefined || payload instanceof Uint8Array) asked.end(payload);
    else pipeline(payload, asked).catch(answered.reject);
    return await answered.promise;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
