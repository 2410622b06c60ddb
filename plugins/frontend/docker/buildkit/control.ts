import type { Duplex } from 'node:stream';
import { type Metadata, Server, ServerCredentials, status as grpcStatus, type ServiceDefinition } from '@grpc/grpc-js';
import { cancelled, codeOf, type ErrorCode, firstCause, type Logger, messageOf, notFound, notImplemented } from '@gantry/sdk';
import type { BuildHistory, Engine } from '@gantry/sdk/engine';
import { textOf } from '../status.ts';
import type { CacheEntry } from './cache.ts';
import type { Exporter } from './exports.ts';
import { listenBuildHistory, toldBefore, updateBuildHistory } from './history.ts';
import { decode, encode, timestamp } from './messages.ts';
import { cacheFilters } from './filters.ts';
import { Session, Sessions } from './session.ts';
import { comesWithinMs, Solve } from './solve.ts';
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
interface PruneRequest {
  readonly all: boolean;
  /** What its first clients call what is to be kept. */
  readonly reservedSpace: string;
  readonly maxUsedSpace: string;
  readonly minFreeSpace: string;
  readonly keepDuration: string;
  readonly filter: readonly string[];
}
interface DiskUsageRequest {
  readonly filter: readonly string[];
  readonly ageLimit: string;
}
interface GatewaySolve {
  readonly frontend: string;
  readonly frontendOpt: Strings;
  readonly cacheImports: readonly CacheEntry[];
}
interface Call {
  readonly request: Buffer;
  readonly metadata: Metadata;
  on(event: 'cancelled', listener: () => void): unknown;
}
type Answer = (error: object | null, bytes?: Buffer) => void;
type Unary = (request: Buffer, call: Call) => Promise<Buffer> | Buffer;

const codes = {
  invalid_argument: grpcStatus.INVALID_ARGUMENT,
  not_found: grpcStatus.NOT_FOUND,
  already_exists: grpcStatus.ALREADY_EXISTS,
  conflict: grpcStatus.FAILED_PRECONDITION,
  not_modified: grpcStatus.FAILED_PRECONDITION,
  aborted: grpcStatus.ABORTED,
  exhausted: grpcStatus.RESOURCE_EXHAUSTED,
  forbidden: grpcStatus.PERMISSION_DENIED,
  unauthorized: grpcStatus.UNAUTHENTICATED,
  not_implemented: grpcStatus.UNIMPLEMENTED,
  unavailable: grpcStatus.UNAVAILABLE,
  deadline_exceeded: grpcStatus.DEADLINE_EXCEEDED,
  cancelled: grpcStatus.CANCELLED,
  internal: grpcStatus.INTERNAL,
  data_loss: grpcStatus.DATA_LOSS,
} as const satisfies Record<ErrorCode, number>;

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
/** How long a build that is over is known. */
const keptMs = 30_000;
const maxMessageBytes = 16 * 2 ** 20;

/** BuildKit's services over connections that were HTTP before. One for all clients of a front end. */
export class BuildKit implements Disposable {
  readonly #engine: Engine;
  readonly #log: Logger;
  readonly #sessions = new Sessions();
  readonly #solves = new Map<string, Solve>();
  #server: { readonly server: Server; readonly inject: (socket: Duplex) => void } | undefined;

  constructor({ engine, log }: { readonly engine: Engine; readonly log: Logger }) {
    this.#engine = engine;
    this.#log = log;
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
    for (const solve of this.#solves.values()) solve.cancel();
    this.#server?.server.forceShutdown();
  }

  #start(): { readonly server: Server; readonly inject: (socket: Duplex) => void } {
    const server = new Server({ 'grpc.max_receive_message_length': maxMessageBytes });
    const control: Readonly<Record<string, Unary>> = {
      Solve: (request, call) => this.#solve(decode('SolveRequest', request), call),
      ListWorkers: () => encode('ListWorkersResponse', { record: [worker()] }),
      Info: () => encode('InfoResponse', { version }),
      UpdateBuildHistory: (request) => updateBuildHistory(this.#history, request),
      DiskUsage: async (request) => encode('DiskUsageResponse', { record: await this.#records(decode('DiskUsageRequest', request)) }),
    };
    const bridge: Readonly<Record<string, Unary>> = {
      Ping: () => encode('PongResponse', { frontendCaps: capabilities, llbCaps: [], workers: [worker()] }),
      Solve: (request, call) => this.#build(decode('GatewaySolveRequest', request), call),
      Return: (request, call) => this.#return(decode('ReturnRequest', request), call),
    };
    server.addService(unaryService('moby.buildkit.v1.Control', control), this.#implementation(control));
    server.addService(streamService('moby.buildkit.v1.Control', ['Status', 'Prune', 'ListenBuildHistory']), {
      Status: (call: Stream) => void this.#pour(call, this.#status(call)),
      Prune: (call: Stream) => void this.#pour(call, this.#prune(call.request)),
      ListenBuildHistory: (call: Stream) => void this.#pour(call, listenBuildHistory(this.#history, call.request, goneSignal(call))),
    });
    server.addService(unaryService('moby.buildkit.v1.frontend.LLBBridge', bridge), this.#implementation(bridge));
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    return { server, inject: (socket) => injector.injectConnection(socket) };
  }

  #implementation(methods: Readonly<Record<string, Unary>>) {
    return Object.fromEntries(
      Object.entries(methods).map(([name, answer]) => [
        name,
        (call: Call, done: Answer) => {
          void this.#answer(answer, call, done);
        },
      ]),
    );
  }

  async #answer(answer: Unary, call: Call, done: Answer): Promise<void> {
    try {
      done(null, await answer(call.request, call));
    } catch (error) {
      done(this.#failure(error));
    }
  }

  async #solve(request: SolveRequest, call: Call): Promise<Buffer> {
    const { session, cache, entitlements } = request;
    const deprecated = [{ type: request.exporterDeprecated, attrs: request.exporterAttrsDeprecated }];
    const exporters = request.exporters.length === 0 ? deprecated : request.exporters;
    const solve = this.#of(request.ref);
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
      // What belongs to it may still be on its way, and is to hear the same.
      setTimeout(() => this.#solves.delete(request.ref), keptMs).unref();
    }
  }

  async #build({ frontend, frontendOpt, cacheImports }: GatewaySolve, call: Call): Promise<Buffer> {
    const solve = this.#of(String(call.metadata.get(buildIdKey)[0] ?? ''));
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
    return encode('GatewaySolveResponse', { ref: solve.imageId, result: { ref: { id: solve.imageId } } });
  }

  async #buildFor(solve: Solve, frontend: string, attributes: Strings, imports: readonly CacheEntry[]): Promise<void> {
    if (!['dockerfile.v0', 'gateway.v0'].includes(frontend)) throw notImplemented('only Dockerfiles are built here, and no LLB');
    await solve.build(attributes, imports);
  }

  #return({ error }: { readonly error: { readonly code: number; readonly message: string } | null }, call: Call): Buffer {
    const failed = error !== null && error.code !== 0 ? error.message : undefined;
    const ref = String(call.metadata.get(buildIdKey)[0] ?? '');
    const solve = this.#solves.get(ref);
    if (solve === undefined) throw notFound(`no build ${JSON.stringify(ref)}`);
    solve.finish(failed);
    return encode('Empty', {});
  }

  /** Its calls come in any order. */
  #of(ref: string): Solve {
    const known = this.#solves.get(ref);
    if (known !== undefined) return known;
    const solve = new Solve({ engine: this.#engine, sessions: this.#sessions, ref });
    this.#solves.set(ref, solve);
    setTimeout(() => this.#forgetUnlessBegun(ref, solve), comesWithinMs).unref();
    return solve;
  }

  #forgetUnlessBegun(ref: string, solve: Solve): void {
    if (solve.isBegun) return;
    this.#solves.delete(ref);
    solve.cancel(notFound(`no build ${JSON.stringify(ref)}: its Control.Solve does not come`));
  }

  get #history(): BuildHistory {
    return this.#engine.builds.history;
  }

  /** Of a build that runs here or is about to begin; of any other that the history knows. */
  async *#status(call: Stream): AsyncIterable<Buffer> {
    const { ref } = decode<{ readonly ref: string }>('StatusRequest', call.request);
    const isToldHere = this.#solves.get(ref)?.isFollowable === true;
    const isBefore = !isToldHere && this.#history.list().some(({ id }) => id === ref);
    if (isBefore) yield* toldBefore(this.#history, ref, goneSignal(call));
    else yield* this.#of(ref).status();
  }

  async #records({ filter, ageLimit }: DiskUsageRequest): Promise<readonly object[]> {
    const filters = cacheFilters({ filter, keepDuration: ageLimit });
    return (await this.#engine.builds.cache({ filters })).map((record) => ({
      ID: record.id.replace('sha256:', ''),
      inUse: record.inUse,
      size: record.sizeBytes,
      createdAt: timestamp(record.createdMs),
      lastUsedAt: timestamp(record.usedMs),
      usageCount: record.uses,
      description: record.description,
      recordType: record.kind,
      shared: record.shared,
      parents: record.parent === '' ? [] : [record.parent.replace('sha256:', '')],
    }));
  }

  async *#prune(request: Buffer): AsyncIterable<Buffer> {
    const { all, reservedSpace, maxUsedSpace, minFreeSpace, ...what } = decode<PruneRequest>('PruneRequest', request);
    const limits = { keepBytes: Number(reservedSpace), mostBytes: Number(maxUsedSpace), freeBytes: Number(minFreeSpace) };
    const sizes = new Map((await this.#engine.builds.cache()).map(({ id, sizeBytes }) => [id, sizeBytes]));
    const { deleted } = await this.#engine.builds.prune({ all, ...limits, filters: cacheFilters(what) });
    for (const id of deleted) yield encode('UsageRecord', { ID: id.replace('sha256:', ''), size: sizes.get(id) ?? 0 });
  }

  async #pour(call: Stream, messages: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const message of messages) {
        if (call.cancelled) return;
        if (call.write(message) === false) await untilTaken(call);
      }
      call.end();
    } catch (error) {
      // Not by destroying it: then its status would not be sent any more.
      call.emit('error', Object.assign(new Error(textOf(error)), this.#failure(error)));
    }
  }

  #failure(thrown: unknown): object {
    const error = firstCause(thrown);
    const code = codeOf(error);
    if (code === 'internal') this.#log.error({ error }, messageOf(error));
    return { code: codes[code], details: textOf(error) };
  }
}

/** Aborted when whoever asks goes away. */
function goneSignal(call: Stream): AbortSignal {
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort(cancelled('the client went away')));
  return gone.signal;
}

function untilTaken(call: Stream): Promise<void> {
  return new Promise((resolve) => {
    call.once('drain', resolve);
    call.once('close', resolve);
    call.once('cancelled', resolve);
  });
}

interface Stream extends Omit<Call, 'on'> {
  once(event: 'drain' | 'close' | 'cancelled', listener: () => void): unknown;
  readonly cancelled: boolean;
  write(message: Buffer): unknown;
  end(): void;
  emit(event: 'error', error: Error): unknown;
}

const same = (bytes: Buffer): Buffer => bytes;
const bytesOnly = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };

function unaryService(path: string, methods: Readonly<Record<string, unknown>>): ServiceDefinition {
  return Object.fromEntries(
    Object.keys(methods).map((name) => [name, { path: `/${path}/${name}`, requestStream: false, responseStream: false, ...bytesOnly }]),
  );
}

function streamService(path: string, methods: readonly string[]): ServiceDefinition {
  return Object.fromEntries(
    methods.map((name) => [name, { path: `/${path}/${name}`, requestStream: false, responseStream: true, ...bytesOnly }]),
  );
}
