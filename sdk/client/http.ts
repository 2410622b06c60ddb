import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { type Address, showAddress } from './address.ts';
import { dataLoss, type GantryError, invalidArgument } from '../errors.ts';
import { Hijacked } from './hijack.ts';
import { apiFailure, connectFailure } from './failure.ts';

// An import statement evaluates every export of these modules, undici's among them: 40 ms.
const http = process.getBuiltinModule('node:http');
const net = process.getBuiltinModule('node:net');

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
export interface Call {
  readonly query?: Query;
  readonly json?: unknown;
  readonly body?: AsyncIterable<Buffer>;
  readonly headers?: OutgoingHttpHeaders;
  readonly signal?: AbortSignal | undefined;
  /** Outside the version prefix. */
  readonly unversioned?: boolean;
}

/** The newest version of the API that we speak. */
const newestVersion = '1.51';

/** Requests to one server. Every request has its own connection; a failure is a GantryError with the server's own words and `facts.status`. */
export class Http {
  readonly address: Address;
  #version = newestVersion;
  #agreed = false;

  constructor(address: Address) {
    this.address = address;
  }

  get version(): string {
    return this.#version;
  }

  /** The answer's JSON. An answer that is not JSON is `data_loss`. */
  async json<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const text = await this.text(method, path, call);
    try {
      const value: T = JSON.parse(text);
      return value;
    } catch (cause) {
      throw dataLoss(`${showAddress(this.address)} answered ${method} ${path} with something that is not JSON`, { cause });
    }
  }

  async text(method: string, path: string, call: Call = {}): Promise<string> {
    const answer = await this.stream(method, path, call);
    return Buffer.concat(await Array.fromAsync<Buffer>(answer)).toString('utf8');
  }

  /** For calls whose answer has no body worth reading. 304 Not Modified counts as done. */
  async done(method: string, path: string, call: Call = {}): Promise<void> {
    await this.text(method, path, call);
  }

  /** Resolves with the headers; the body is read by the caller. */
  async stream(method: string, path: string, call: Call = {}): Promise<IncomingMessage> {
    if (call.body !== undefined) await this.#agreeOnVersion(call.signal);
    const answer = await this.#send(method, path, call);
    if (isSuccess(answer)) return answer;
    const failure = await apiFailure(answer);
    if (this.#lowerVersion(failure)) return await this.stream(method, path, call);
    throw failure;
  }

  /** The connection itself, after the server took it out of HTTP (101, or 200 from old servers). */
  async hijack(method: string, path: string, call: Call = {}): Promise<Hijacked> {
    await this.#agreeOnVersion(call.signal);
    const request = this.#request(method, path, { ...call, headers: { Connection: 'Upgrade', Upgrade: 'tcp', ...call.headers } });
    const taken = Promise.withResolvers<Hijacked>();
    request.on('upgrade', (_answer, socket, head) => taken.resolve(new Hijacked(socket, head)));
    request.on('response', (answer) => void apiFailure(answer).then(taken.reject));
    request.on('error', (error) => taken.reject(connectFailure(error, this.address)));
    request.end(call.json === undefined ? undefined : JSON.stringify(call.json));
    return await taken.promise;
  }

  async #send(method: string, path: string, call: Call): Promise<IncomingMessage> {
    const request = this.#request(method, path, call);
    const answered = Promise.withResolvers<IncomingMessage>();
    request.on('response', answered.resolve);
    request.on('error', (error) => answered.reject(connectFailure(error, this.address)));
    if (call.body === undefined) request.end(call.json === undefined ? undefined : JSON.stringify(call.json));
    else upload(request, call.body).catch((error: unknown) => answered.reject(connectFailure(error, this.address)));
    return await answered.promise;
  }

  #request(method: string, path: string, call: Call): ClientRequest {
    const prefix = call.unversioned === true ? '' : `/v${this.#version}`;
    return http.request({
      method,
      path: `${prefix}${path}${queryString(call.query)}`,
      createConnection: () => open(this.address),
      headers: { Host: 'gantry', 'User-Agent': 'gantry', ...bodyHeaders(call), ...call.headers },
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
  }

  /** Before what cannot be sent twice. */
  async #agreeOnVersion(signal: AbortSignal | undefined): Promise<void> {
    if (this.#agreed) return;
    const answer = await this.#send('HEAD', '/_ping', { unversioned: true, signal });
    answer.resume();
    const theirs = answer.headers['api-version'];
    if (typeof theirs === 'string' && isOlder(theirs, this.#version)) this.#version = theirs;
    this.#agreed = true;
  }

  #lowerVersion(failure: GantryError): boolean {
    const theirs = /client version \S+ is too new\. Maximum supported API version is (\d+\.\d+)/.exec(failure.message)?.[1];
    if (theirs === undefined || !isOlder(theirs, this.#version)) return false;
    this.#version = theirs;
    this.#agreed = true;
    return true;
  }
}

/** One segment of a path, whatever users typed. */
export function segment(text: string): string {
  if (text === '') throw invalidArgument('a name or id may not be empty');
  return encodeURIComponent(text);
}

function open(address: Address): ReturnType<typeof net.connect> {
  return address.kind === 'unix' ? net.connect(address.path) : net.connect(address.port, address.host);
}

async function upload(request: ClientRequest, body: AsyncIterable<Buffer>): Promise<void> {
  const closed = Promise.withResolvers<void>();
  request.once('close', closed.resolve);
  for await (const chunk of body) {
    if (request.destroyed || request.writableEnded) return;
    if (request.write(chunk)) continue;
    await Promise.race([new Promise<void>((resolve) => request.once('drain', resolve)), closed.promise]);
  }
  request.end();
}

function bodyHeaders({ json, body }: Call): OutgoingHttpHeaders {
  if (json !== undefined) return { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(JSON.stringify(json)) };
  return body === undefined ? { 'Content-Length': 0 } : { 'Content-Type': 'application/x-tar' };
}

function queryString(query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const one of value) search.append(name, one);
    else search.append(name, String(value));
  }
  return search.size === 0 ? '' : `?${search.toString()}`;
}

function isSuccess({ statusCode = 500 }: IncomingMessage): boolean {
  return (statusCode >= 200 && statusCode < 300) || statusCode === 304;
}

function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}
