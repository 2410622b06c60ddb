import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { parse as parseQuery } from 'node:querystring';
import { invalidArgument, type Logger, messageOf } from '@gantry/sdk';
import type { Engine } from '@gantry/sdk/engine';
import { canonicalTarget } from '../authz/canonical.ts';
import type { Gate } from '../authz/gate.ts';
import { tellCall } from '../http/caller.ts';
import type { BuildKit } from '../buildkit/control.ts';
import { commonHeaders, multiplexedStream, rawStream } from '../http/headers.ts';
import { checkContentType, parseJson } from '../http/json.ts';
import { Query } from '../http/query.ts';
import { readShape, type Shape } from '../http/shape.ts';
import { targetOf } from '../http/target.ts';
import { hijackRoutes } from '../routes/hijack.ts';
import { statusOf, textOf } from '../status.ts';
import { errorHead, statusHead } from './head.ts';
import { Peer } from './peer.ts';
import { takeBody } from './upgrade-body.ts';

export interface HijackOptions {
  readonly engine: Engine;
  readonly log: Logger;
  readonly stopping: AbortSignal;
  readonly gate?: Gate | undefined;
}

/** A request whose connection becomes a two-way byte stream: attach and exec start, with or without `Upgrade: tcp`. */
export interface HijackCall {
  readonly engine: Engine;
  readonly id: string;
  readonly query: Query;
  readonly version: number;
  readonly signal: AbortSignal;
  /** A JSON body; `absent` when there is none. */
  readonly json: <T>(shape: Shape<T>, absent: T) => Promise<T>;
  /** Switches the connection over; until then failures are ordinary error answers. */
  readonly accept: (options: { readonly tty: boolean }) => Peer;
  /** Where the connection may become one of BuildKit's. */
  readonly h2c?: {
    readonly buildKit: () => Promise<BuildKit>;
    /** All values of a header. */
    readonly header: (name: string) => readonly string[];
    /** Switches over, and gives the connection away. */
    readonly accept: () => Duplex;
  };
  /** An ordinary answer without a body. */
  readonly sendNothing: (status: number) => void;
}

/** Takes over the connections of requests that say `Connection: Upgrade` on a path that may be hijacked. */
export class Hijacks {
  readonly #options: HijackOptions;
  #buildKit: Promise<BuildKit> | undefined;

  constructor(options: HijackOptions) {
    this.#options = options;
  }

  claims(request: IncomingMessage): boolean {
    const target = targetOf(request.method ?? '', request.url ?? '');
    return target.kind === 'route' && findRoute(request.method, target.url) !== undefined;
  }

  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    this.#serve(request, socket, head).catch((error: unknown) => {
      const status = statusOf(error);
      if (status === 500) this.#options.log.error({ error, url: request.url }, messageOf(error));
      socket.end(errorHead(status, textOf(error)), () => socket.destroy());
    });
  }

  async #serve(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { engine, stopping, gate } = this.#options;
    const uri = gate === undefined ? (request.url ?? '') : canonicalTarget(request.url ?? '');
    const target = targetOf(request.method ?? '', uri);
    const route = target.kind === 'route' ? findRoute(request.method, target.url) : undefined;
    if (target.kind !== 'route' || route === undefined) throw invalidArgument('this path cannot be upgraded');
    const { protocol } = route;
    if (request.headers.upgrade?.toLowerCase() !== protocol)
      throw invalidArgument(`cannot upgrade to "${request.headers.upgrade}", only to ${protocol}`);
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    const body = await takeBody(request, socket, head);
    const signal = AbortSignal.any([gone.signal, stopping]);
    await gate?.admitUpgrade(request, { uri, body, signal });
    tellCall(this.#options.log, request, target.url);
    const webSocket = protocol === 'websocket' ? await import('./websocket.ts') : undefined;
    const call: HijackCall = {
      engine,
      id: route.id,
      query: new Query(parseQuery(target.url.slice(target.url.indexOf('?') + 1 || target.url.length))),
      version: target.version,
      signal,
      json: (shape, absent) => Promise.resolve(body.length === 0 ? absent : readJson(request, body, shape)),
      accept: ({ tty }) => {
        if (webSocket !== undefined) return webSocket.acceptWebSocket(request, socket);
        const type = !tty && target.version >= 42 ? multiplexedStream : rawStream;
        socket.write(statusHead('101 UPGRADED', ['Content-Type', type, 'Connection', 'Upgrade', 'Upgrade', 'tcp']));
        return new Peer({ input: socket, output: socket, tty });
      },
      h2c: {
        buildKit: () => (this.#buildKit ??= this.#openBuildKit()),
        header: (name) => request.headersDistinct[name] ?? [],
        accept: () => {
          socket.write(statusHead('101 UPGRADED', ['Connection', 'Upgrade', 'Upgrade', protocol]));
          return socket;
        },
      },
      sendNothing: (status) =>
        void socket.end(statusHead(`${status} OK`, [...commonHeaders, 'Content-Length', '0', 'Connection', 'close'])),
    };
    await route.handle(call);
  }

  /** Only for who asks: its gRPC takes longer to load than all the rest of this front end. */
  async #openBuildKit(): Promise<BuildKit> {
    const { BuildKit } = await import('../buildkit/control.ts');
    const buildKit = new BuildKit(this.#options);
    const { stopping } = this.#options;
    if (stopping.aborted) buildKit[Symbol.dispose]();
    stopping.addEventListener('abort', () => buildKit[Symbol.dispose](), { once: true });
    return buildKit;
  }
}

function readJson<T>(request: IncomingMessage, body: Buffer, shape: Shape<T>): T {
  checkContentType(request.headers['content-type']);
  return readShape(shape, parseJson(body));
}

function findRoute(method: string | undefined, url: string) {
  const path = url.split('?', 1)[0] ?? '';
  for (const { pattern, ...route } of hijackRoutes) {
    const id = route.method === method ? pattern.exec(path)?.[1] : undefined;
    if (id !== undefined) return { ...route, id: decodeId(id) };
  }
  return undefined;
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidArgument(`malformed path: ${text}`);
  }
}
