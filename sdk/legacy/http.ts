import { once } from 'node:events';
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codeOf, conflict, fromErrno, GantryError, invalidArgument, messageOf } from '../errors.ts';
import type { Logger } from '../types/index.ts';
import type { Body } from './body.ts';
import { longestMessage, mediaType } from './wire.ts';

/** What a method answers: an object, nothing, or bytes as they come. */
export type Answer = object | void | AsyncIterable<Buffer>;
export type Method = (body: Body, signal: AbortSignal) => Promise<Answer>;
/** By what follows the slash: "VolumeDriver.Create". */
export type Methods = Readonly<Record<string, Method>>;

export interface ListenOptions {
  readonly socketPath: string;
  /** The method of that name; undefined: there is none. Failing is the answer to the call. */
  readonly find: (name: string) => Promise<Method | undefined>;
  readonly log: Logger;
}

/**
 * Serves methods as Docker's plugins do: `POST /Service.Method`, JSON in, JSON out. A failure is status 500 with its words in `Err`, a method that
 * is not there 404. Refuses (`conflict`) a socket at which somebody listens; a dead one is replaced. Disposing waits for the
 * calls under way, for four seconds at most.
 */
export async function listen({ socketPath, find, log }: ListenOptions): Promise<AsyncDisposable> {
  if (Buffer.byteLength(socketPath) > 107) throw invalidArgument(`the socket path ${socketPath} has more than 107 bytes`);
  await makeRoom(socketPath);
  const server = createServer((request, response) => void handle(request, response, { find, log }));
  // Mounting may take minutes, and a reader of logs may wait for days.
  server.requestTimeout = 0;
  server.listen(socketPath);
  try {
    await once(server, 'listening');
    chmodSync(socketPath, 0o660);
  } catch (error) {
    server.close();
    throw fromErrno(error, `listen at ${socketPath}`);
  }
  return { [Symbol.asyncDispose]: () => close(server) };
}

/** Less than Docker waits between asking a plugin to end and killing it. */
const graceMs = 4_000;

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}

async function makeRoom(socketPath: string): Promise<void> {
  mkdirSync(dirname(socketPath), { recursive: true });
  const found = lstatSync(socketPath, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw conflict(`${socketPath} is there and is no socket`);
  if (await answers(socketPath)) throw conflict(`somebody listens at ${socketPath} already`);
  rmSync(socketPath, { force: true });
}

async function answers(socketPath: string): Promise<boolean> {
  const socket = connect(socketPath);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function handle(request: IncomingMessage, response: ServerResponse, { find, log }: Pick<ListenOptions, 'find' | 'log'>) {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new DOMException('the caller went away', 'AbortError')));
  const name = (request.url ?? '').replace(/^\//, '').replace(/\?.*$/, '');
  try {
    const method = await find(name);
    // What Go's mux says, by which callers tell a method that is missing from one that failed.
    if (method === undefined) return end(response, 404, 'text/plain', '404 page not found\n');
    if (request.method !== 'POST') return failed(response, 405, `${name} is asked with POST`);
    const answer = await method(await bodyOf(request), gone.signal);
    if (isStream(answer)) await send(response, answer);
    else end(response, 200, mediaType, `${JSON.stringify(answer ?? {})}\n`);
  } catch (error) {
    if (gone.signal.aborted) return;
    if (codeOf(error) === 'internal') log.error({ err: error, method: name }, 'a call failed');
    if (response.headersSent) response.destroy();
    else failed(response, 500, wordsOf(error));
  }
}

/** Bodies that are not read to their end would be taken for the next request. */
async function bodyOf(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= longestMessage) chunks.push(chunk);
  }
  if (size > longestMessage) throw invalidArgument(`a request of ${size} bytes; at most ${longestMessage}`);
  const text = Buffer.concat(chunks).toString();
  let value: unknown;
  try {
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch (error) {
    throw invalidArgument(`the request is no JSON: ${messageOf(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidArgument('the request is no JSON object');
  return value as Body;
}

async function send(response: ServerResponse, stream: AsyncIterable<Buffer>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-json-stream' });
  response.flushHeaders();
  await pipeline(Readable.from(stream), response);
}

function failed(response: ServerResponse, status: number, words: string): void {
  // IPAM calls it `Error`, all others `Err`.
  end(response, status, mediaType, `${JSON.stringify({ Err: words, Error: words })}\n`);
}

function wordsOf(error: unknown): string {
  const hint = GantryError.is(error) && error.hint !== undefined ? ` (${error.hint})` : '';
  return `${messageOf(error)}${hint}`;
}

function end(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function isStream(answer: Answer): answer is AsyncIterable<Buffer> {
  return typeof answer === 'object' && Symbol.asyncIterator in answer;
}
