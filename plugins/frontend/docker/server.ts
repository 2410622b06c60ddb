import { createServer as createTlsServer } from 'node:https';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { codeOf, messageOf, notFound } from '@gantry/sdk';
import type { Engine } from '@gantry/sdk/engine';
import type { Logger } from '@gantry/sdk';
import { type FastifyInstance, fastify } from 'fastify';
import { canonicalTarget } from './authz/canonical.ts';
import type { Gate } from './authz/gate.ts';
import { stayAwake } from './http/awake.ts';
import { Call } from './http/call.ts';
import { tellCall } from './http/caller.ts';
import { Crowd } from './http/crowd.ts';
import { sendError } from './http/error.ts';
import { commonHeaders, maxVersion } from './http/headers.ts';
import { checkContentType } from './http/json.ts';
import { Query, type QueryValues } from './http/query.ts';
import { targetOf } from './http/target.ts';
import { routes } from './routes/index.ts';
import type { Route } from './routes/route.ts';
import { isOfSwarm, notAManager } from './routes/swarm.ts';
import { statusOf, textOf } from './status.ts';
import { Hijacks } from './streams/hijack.ts';
import type { Tls } from './tls.ts';

export interface ServerOptions {
  readonly engine: Engine;
  readonly log: Logger;
  /** Ends every stream. */
  readonly stopping: AbortSignal;
  /** What every request has to pass; absent: nothing. */
  readonly gate?: Gate | undefined;
}

const keepAliveMs = 10 * 60e3;
const headersTimeoutMs = 60e3;
/** At each address. Twice as many are heard, to be told so; whatever comes on top of these is closed at once. */
const maxConnections = 1_024;
const maxUrlParameter = 8_192;

/** Makes HTTP servers, one for each address, that share one router. They do not listen yet. */
export async function serverFactory(options: ServerOptions): Promise<(tls?: Tls) => Server> {
  const versions = new WeakMap<IncomingMessage, number>();
  const router = await routerOf(options, versions);
  const hijacks = new Hijacks(options);
  return (tls) => {
    const crowd = new Crowd(maxConnections);
    const refusalOf = (request: IncomingMessage) => crowd.refusal(request) ?? tls?.refusal(request);
    const settings = {
      shouldUpgradeCallback: (request: IncomingMessage) => hijacks.claims(request) && refusalOf(request) === undefined,
      keepAliveTimeout: keepAliveMs,
      headersTimeout: headersTimeoutMs,
      requestTimeout: 0,
    };
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      const refusal = refusalOf(request);
      if (request.method === 'GET') stayAwake();
      if (refusal === undefined) return enter({ router, versions, gate: options.gate }, request, response);
      response.shouldKeepAlive = false;
      sendError(response, refusal.status, refusal.message);
    };
    const server = tls === undefined ? createServer(settings, take) : createTlsServer({ ...settings, ...tls.options }, take);
    server.maxConnections = 2 * maxConnections;
    crowd.watch(server, tls === undefined ? 'connection' : 'secureConnection');
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => hijacks.take(request, socket, head));
    server.on('clientError', refuseConnection);
    // A client whose certificate is not the authority's: the handshake told it.
    server.on('tlsClientError', (_error: Error, socket: Duplex) => socket.destroy());
    return server;
  };
}

/** Fastify routes and parses queries; bodies and answers are ours, since Docker's API streams most of them. */
async function routerOf(
  { engine, log, stopping, gate }: ServerOptions,
  versions: WeakMap<IncomingMessage, number>,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    // Fastify would load ajv and fast-json-stringify while it starts, 50 ms for nothing.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    routerOptions: { maxParamLength: maxUrlParameter },
    frameworkErrors: (error, _request, reply) => {
      reply.hijack();
      sendError(reply.raw, 400, error.message);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  // All that is left for Fastify to refuse is a Content-Type that it cannot read.
  app.setErrorHandler((error, request, reply) => {
    reply.hijack();
    try {
      checkContentType(request.headers['content-type']);
      sendError(reply.raw, 400, messageOf(error));
    } catch (refusal) {
      sendError(reply.raw, 400, messageOf(refusal));
    }
  });
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    const error = isOfSwarm(request.url) ? notAManager() : notFound('page not found');
    sendError(reply.raw, statusOf(error), error.message);
  });
  for (const route of routes) {
    app.route({
      method: route.method,
      url: route.path,
      handler: (request, reply) => {
        reply.hijack();
        const { raw } = request;
        const call = new Call({
          engine,
          request: raw,
          response: reply.raw,
          params: request.params as Readonly<Record<string, string>>,
          query: new Query(request.query as QueryValues),
          version: versions.get(raw) ?? maxVersion,
          stopping,
          body: gate?.bodyOf(raw),
        });
        return answer(route, call, log);
      },
    });
  }
  await app.ready();
  return app;
}

const noCompiler = () => () => {
  throw new TypeError('routes here have no schemas');
};

interface Entrance {
  readonly router: FastifyInstance;
  readonly versions: WeakMap<IncomingMessage, number>;
  readonly gate: Gate | undefined;
}

function enter(entrance: Entrance, request: IncomingMessage, response: ServerResponse): void {
  if (request.httpVersionMajor < 1 || hasSecondHost(request.rawHeaders)) return sendError(response, 400, 'malformed request');
  if (entrance.gate === undefined) return dispatch(entrance, request, response, () => entrance.router.routing(request, response));
  void pass({ ...entrance, gate: entrance.gate }, request, response);
}

/** Only what leads to a route is shown to the gate; the rest is answered without doing anything. */
async function pass(
  { gate, ...entrance }: Entrance & { readonly gate: Gate },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const uri = canonicalTarget(request.url ?? '/');
    request.url = uri;
    let isRoute = false;
    dispatch({ ...entrance, gate }, request, response, () => (isRoute = true));
    if (!isRoute) return;
    await gate.admit(request, response, uri);
    entrance.router.routing(request, response);
  } catch (error) {
    sendError(response, statusOf(error), textOf(error));
  }
}

function dispatch({ versions }: Entrance, request: IncomingMessage, response: ServerResponse, route: () => void): void {
  const target = targetOf(request.method ?? 'GET', request.url ?? '/');
  if (target.kind === 'route') {
    request.url = target.url;
    if (target.version !== maxVersion) versions.set(request, target.version);
    route();
  } else if (target.kind === 'redirect') {
    response.writeHead(301, [...commonHeaders, 'Location', target.location, 'Content-Length', '0']).end();
  } else if (target.plain === true) {
    response.writeHead(target.status, [...commonHeaders, 'Content-Type', 'text/plain; charset=utf-8']).end(target.message);
  } else sendError(response, target.status, target.message);
}

async function answer(route: Route, call: Call, log: Logger): Promise<void> {
  tellCall(log, call.request, call.request.url ?? '');
  try {
    await route.handle(call);
  } catch (error) {
    const { response } = call;
    const status = statusOf(error);
    if (status === 500) log.error({ error, route: `${route.method} ${route.path}` }, textOf(error));
    if (!response.headersSent) await restOf(call.request);
    if (response.headersSent) response.destroy();
    else if (status === 304) call.sendNothing(304);
    else if (codeOf(error) !== 'cancelled' || !response.destroyed) sendError(response, status, textOf(error));
  }
}

/**
 * A client that is still sending does not read: closing a socket with unread bytes resets it, and the answer is lost with them. So what is on
 * its way is thrown away first, within bounds.
 */
async function restOf(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed || request.headers['content-length'] === '0') return;
  const ended = Promise.withResolvers<void>();
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxThrownAway) ended.resolve();
  });
  for (const event of ['end', 'close', 'error']) request.once(event, ended.resolve);
  const timer = setTimeout(ended.resolve, 1_000);
  request.resume();
  await ended.promise;
  clearTimeout(timer);
}

const maxThrownAway = 16 * 2 ** 20;

function hasSecondHost(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts > 1;
}

const parserStatuses: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 };

/** What is no HTTP gets one line and the end of the connection. */
function refuseConnection(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET') return void socket.destroy();
  if (!socket.writable) return;
  const status = parserStatuses[error.code ?? ''] ?? 400;
  const body = `${JSON.stringify({ message: `${status} ${STATUS_CODES[status]}` })}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Closed with unread bytes the connection would be reset, and the answer lost with them: what still comes is thrown away for a while.
  const cut = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(cut)).on('error', () => socket.destroy());
  socket.removeAllListeners('data').resume();
}

const lingerMs = 1_000;
