import type { IncomingMessage, ServerResponse } from 'node:http';
import { cancelled } from '@gantry/sdk';
import type { Engine } from '@gantry/sdk/engine';
import { Outgoing } from '../streams/outgoing.ts';
import { checkContentType, parseJson, readBytes } from './json.ts';
import { commonHeaders } from './headers.ts';
import type { Query } from './query.ts';
import { readShape, type Shape } from './shape.ts';

export interface CallFacts {
  readonly engine: Engine;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  /** Minor number of the API version that the client speaks. */
  readonly version: number;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  /** The body, when it was read already. */
  readonly body?: Buffer | undefined;
}

/** One request and its answer. Exactly one of the answering methods is called, once. */
export class Call {
  readonly engine: Engine;
  readonly query: Query;
  readonly version: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly #params: Readonly<Record<string, string>>;
  readonly #stopping: AbortSignal;
  readonly #body: Buffer | undefined;
  #signal: AbortSignal | undefined;

  constructor({ engine, request, response, params, query, version, stopping, body }: CallFacts) {
    this.engine = engine;
    this.request = request;
    this.response = response;
    this.#params = params;
    this.query = query;
    this.version = version;
    this.#stopping = stopping;
    this.#body = body;
  }

  /** A part of the path, e.g. "id". */
  param(name: string): string {
    return this.#params[name] ?? '';
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** Aborted when the client goes away before it has its whole answer, and when the server stops. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const gone = new AbortController();
      this.response.once('close', () => {
        if (!this.response.writableFinished) gone.abort();
      });
      this.#signal = AbortSignal.any([gone.signal, this.#stopping]);
    }
    return this.#signal;
  }

  /** The body as it comes. Leaving it early keeps the connection, so that an answer can still be sent. */
  async *body(): AsyncIterable<Buffer> {
    if (this.#body !== undefined) {
      yield this.#body;
      return;
    }
    try {
      for await (const chunk of this.request.iterator({ destroyOnReturn: false })) yield chunk as Buffer;
    } catch (error) {
      throw cancelled('the client went away before its request was whole', { cause: error });
    }
  }

  get hasBody(): boolean {
    const { headers } = this.request;
    return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
  }

  /** A JSON body; `absent` stands for no body at all, without it one is required. */
  async json<T>(shape: Shape<T>, absent?: T): Promise<T> {
    if (!this.hasBody && absent !== undefined) return absent;
    return readShape(shape, await this.document());
  }

  /** The body's JSON value. */
  async document(): Promise<unknown> {
    if (this.hasBody || this.header('content-type') !== undefined) checkContentType(this.header('content-type'));
    return parseJson(await readBytes(this.body()));
  }

  send(value: unknown, status = 200): void {
    this.sendBytes(`${JSON.stringify(value)}\n`, 'application/json', status);
  }

  sendText(text: string, status = 200): void {
    this.sendBytes(text, 'text/plain; charset=utf-8', status);
  }

  sendBytes(body: string | Buffer, contentType: string, status = 200, headers: readonly string[] = []): void {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    this.response.writeHead(status, [...commonHeaders, ...headers, 'Content-Type', contentType, 'Content-Length', String(length)]);
    this.response.end(body);
  }

  /** An answer without a body: 204, 304, or 200 with `Content-Length: 0`. */
  sendNothing(status: number, headers: readonly string[] = []): void {
    const length = status === 204 || status === 304 ? [] : ['Content-Length', '0'];
    this.response.writeHead(status, [...commonHeaders, ...headers, ...length]);
    this.response.end();
  }

  /** Sends the head at once and answers where to write the rest. */
  stream(contentType: string, headers: readonly string[] = []): Outgoing {
    this.response.writeHead(200, [...commonHeaders, 'Content-Type', contentType, ...headers]);
    this.response.flushHeaders();
    return new Outgoing(this.response);
  }
}
