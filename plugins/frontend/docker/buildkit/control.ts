import type { Duplex } from 'node:stream';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { codeOf, firstCause, type Logger, messageOf, notFound, notImplemented } from '@gantry/sdk';
import type { BuildHistory, Engine } from '@gantry/sdk/engine';
import type { CacheEntry } from './cache.ts';
import { cacheUsage, pruneCache } from './cache-records.ts';
import type { Exporter } from './exports.ts';
import { type Call, goneSignal, type Service, type Stream, type Streaming, streamService, type Unary, unaryService } from './grpc.ts';
import { type GrpcStatus, grpcStatusOf, serviceError } from './grpc-status.ts';
import { listenBuildHistory, toldBefore, updateBuildHistory } from './history.ts';
import { decode, encode } from './messages.ts';
import { Session, Sessions } from './session.ts';
import type { Solve } from './solve.ts';
import { Solves } from './solves.ts';
import { version, worker } from './worker.ts';

type Strings = Readonly<Record<string, string>>;
interface SolveRequest {
  readonly ref: string;
  readonly session: string;
  readonly frontend: string;
  readonly frontendAttrs: Strings;
  readonly exporterDeprecated: string;
  readonly exporterAttrsDeprecated: Strings;
  readonly exporters: readonly Exporter[];
  readonly entitlements: readonly string[];
  readonly cache: { readonly imports: readonly CacheEntry[]; readonly exports: readonly CacheEntry[] } | null;
}
interface GatewaySolve {
  readonly frontend: string;
  readonly frontendOpt: Strings;
  readonly cacheImports: readonly CacheEntry[];
}

/** What a client may rely on; what is not named here it does without. */
const capabilities = [
  'solve.base',
  'solve.inlinereturn',
  'return',
  'returnmap',
  'proto.refarray',
  'importcaches',
  'frontend.caps',
  'gateway.solve.evaluate',
].map((ID) => ({ ID, enabled: true }));
/** By which the gateway's calls tell whose they are. */
const buildIdKey = 'buildkit-controlapi-buildid';
const maxMessageBytes = 16 * 2 ** 20;

/** BuildKit's services over connections that were HTTP before. One for all clients of a front end. */
export class BuildKit implements Disposable {
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #sessions = new Sessions();
  readonly #solves: Solves;
  #server: { readonly server: Server; readonly inject: (socket: Duplex) => void } | undefined;

  constructor({ engine, log }: { readonly engine: Engine; readonly log: Logger }) {
    this.#engine = engine;
    this.#log = log;
    this.#solves = new Solves({ engine, sessions: this.#sessions });
  }

  /** POST /grpc: the client asks. */
  serve(socket: Duplex): void {
    this.#server ??= this.#start();
    this.#server.inject(socket);
  }

  /** POST /session: the client is asked. */
  addSession(id: string, socket: Duplex, methods: readonly string[]): void {
    this.#sessions.add(id, new Session(socket, methods));
  }

  [Symbol.dispose](): void {
    this.#solves[Symbol.dispose]();
    this.#server?.server.forceShutdown();
  }

  #start(): { readonly server: Server; readonly inject: (socket: Duplex) => void } {
    const server = new Server({ 'grpc.max_receive_message_length': maxMessageBytes });
    for (const { definition, implementation } of this.#services()) server.addService(definition, implementation);
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    return { server, inject: (socket) => injector.injectConnection(socket) };
  }

  #services(): readonly Service[] {
    const { builds } = this.#engine;
    const control: Readonly<Record<string, Unary>> = {
      Solve: (request, call) => this.#solve(decode('SolveRequest', request), call),
      ListWorkers: () => encode('ListWorkersResponse', { record: [worker()] }),
      Info: () => encode('InfoResponse', { version }),
      UpdateBuildHistory: (request) => updateBuildHistory(this.#history, request),
      DiskUsage: (request) => cacheUsage(builds, request),
    };
    const streams: Readonly<Record<string, Streaming>> = {
      Status: (call) => this.#status(call),
      Prune: ({ request }) => pruneCache(builds, request),
      ListenBuildHistory: (call) => listenBuildHistory(this.#history, call.request, goneSignal(call)),
    };
    const bridge: Readonly<Record<string, Unary>> = {
      Ping: () => encode('PongResponse', { frontendCaps: capabilities, llbCaps: [], workers: [worker()] }),
      Solve: (request, call) => this.#build(decode('GatewaySolveRequest', request), call),
      Return: (request, call) => this.#return(decode('ReturnRequest', request), call),
    };
    const failure = (thrown: unknown): Error => this.#failure(thrown);
    return [
      unaryService('moby.buildkit.v1.Control', control, failure),
      streamService('moby.buildkit.v1.Control', streams, failure),
      unaryService('moby.buildkit.v1.frontend.LLBBridge', bridge, failure),
    ];
  }

  async #solve(request: SolveRequest, call: Call): Promise<Buffer> {
    const { session, cache, entitlements } = request;
    const deprecated = [{ type: request.exporterDeprecated, attrs: request.exporterAttrsDeprecated }];
    const exporters = request.exporters.length === 0 ? deprecated : request.exporters;
    const solve = this.#solves.of(request.ref);
    call.on('cancelled', () => solve.cancel());
    try {
      const exported = solve.export({ session, exporters, allow: entitlements, caches: cache?.exports ?? [] });
      // What is wrong with it is also told by whoever waits for it below.
      exported.catch(() => undefined);
      if (request.frontend !== '') {
        // A client without a gateway, as buildctl: it says at once what to build.
        await this.#buildFor(solve, request.frontend, request.frontendAttrs, cache?.imports ?? []);
        solve.finish(undefined);
      }
      return encode('SolveResponse', { exporterResponse: await exported });
    } catch (error) {
      solve.cancel(error);
      throw error;
    } finally {
      solve.end();
      this.#solves.forget(request.ref);
    }
  }

  async #build({ frontend, frontendOpt, cacheImports }: GatewaySolve, call: Call): Promise<Buffer> {
    const solve = this.#solves.of(String(call.metadata.get(buildIdKey)[0] ?? ''));
    let isAnswered = false;
    // A call that was answered is told to be cancelled too.
    call.on('cancelled', () => {
      if (!isAnswered) solve.cancel();
    });
    try {
      await this.#buildFor(solve, frontend, frontendOpt, cacheImports);
    } finally {
      isAnswered = true;
    }
    const [ref = ''] = solve.imageIds;
    return encode('GatewaySolveResponse', { ref, result: { ref: { id: ref } } });
  }

  async #buildFor(solve: Solve, frontend: string, attributes: Strings, imports: readonly CacheEntry[]): Promise<void> {
    if (!['dockerfile.v0', 'gateway.v0'].includes(frontend)) throw notImplemented('only Dockerfiles are built here, and no LLB');
    await solve.build(attributes, imports);
  }

  #return({ error }: { readonly error: GrpcStatus | null }, call: Call): Buffer {
    const failed = error !== null && error.code !== 0 ? error : undefined;
    const ref = String(call.metadata.get(buildIdKey)[0] ?? '');
    const solve = this.#solves.find(ref);
    if (solve === undefined) throw notFound(`no build ${JSON.stringify(ref)}`);
    solve.finish(failed);
    return encode('Empty', {});
  }

  get #history(): BuildHistory {
    return this.#engine.builds.history;
  }

  /** Of a build that runs here or is about to begin; of any other that the history knows. */
  async *#status(call: Stream): AsyncIterable<Buffer> {
    const { ref } = decode<{ readonly ref: string }>('StatusRequest', call.request);
    const isToldHere = this.#solves.find(ref)?.isFollowable === true;
    const isBefore = !isToldHere && this.#history.list().some(({ id }) => id === ref);
    if (isBefore) yield* toldBefore(this.#history, ref, goneSignal(call));
    else yield* this.#solves.of(ref).status();
  }

  #failure(thrown: unknown): Error {
    const error = firstCause(thrown);
    if (codeOf(error) === 'internal') this.#log.error({ error }, messageOf(error));
    return serviceError(grpcStatusOf(error));
  }
}
