// Made by `npm run generate` of proto/gantry/plugin/v1: change it there.
import type { Ctx } from '../types/index.ts';

export interface HandshakeRequest {
  readonly engineVersion: string;
  readonly bootstrap: number;
  readonly offers: readonly ContractOffer[];
  /** "<plugin id>.<generation>" */
  readonly instance: string;
  /** Answered by HMAC-SHA256(token, challenge). */
  readonly challenge: Buffer;
}

export interface ContractOffer {
  readonly contract: string;
  readonly versions: readonly string[];
}

export interface HandshakeResponse {
  readonly name: string;
  readonly version: string;
  readonly sdk: string;
  readonly contracts: readonly ContractChoice[];
  readonly proof: Buffer;
  /** 0: the engine's default. */
  readonly maxConcurrency: number;
  readonly stateVersion: number;
}

export interface ContractChoice {
  readonly contract: string;
  readonly version: string;
}

export interface ConfigureRequest {
  readonly settings: unknown;
  readonly secrets: Readonly<Record<string, string>>;
  readonly revision: number;
  /** Only for a plugin that the engine did not start and so has told nothing by its environment. */
  readonly surroundings?: Surroundings;
}

export interface Surroundings {
  /** Where the engine serves the plugin, "unix:///path". */
  readonly hostEndpoint: string;
  readonly dataDir: string;
  readonly runDir: string;
}

export interface ConfigureResponse {
  readonly problems: readonly Problem[];
  readonly drivers: readonly DriverInfo[];
  /** New settings of a running plugin were not taken: it needs a new generation for them. */
  readonly needsRestart: boolean;
}

/** Something wrong with settings, as a place in them and what it should be. */
export interface Problem {
  readonly path: string;
  readonly message: string;
  readonly fatal: boolean;
}

export interface DriverInfo {
  readonly contract: string;
  readonly driver: string;
  /** The methods that it has, in camelCase. */
  readonly methods: readonly string[];
  /** Its constants: the contract's message `Properties`, as JSON. */
  readonly properties: unknown;
}

export interface FindRequest {
  readonly contract: string;
  readonly driver: string;
}

export interface NamesRequest {
  readonly contract: string;
}

export interface NamesResponse {
  readonly names: readonly string[];
}

/** An object that the engine believes a driver has. */
export interface Ref {
  readonly contract: string;
  readonly driver: string;
  readonly kind: 'snapshot' | 'volume' | 'network' | 'pool' | 'attachment' | 'container';
  readonly id: string;
}

export interface RefState {
  readonly ref: Ref;
  readonly state: 'ok' | 'missing' | 'changed' | 'orphan';
  readonly detail: string;
}

export interface SelfTestRequest {
  readonly deep: boolean;
}

export interface SelfTestResponse {
  readonly checks: readonly Check[];
}

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly hint: string;
}

export interface DrainRequest {
  readonly deadlineMs: number;
  readonly reason: string;
}

export interface DrainResponse {
  readonly inFlight: number;
}

/** Of one call, which its caller numbered; `to_caller` tells the two sides' numbers apart. */
export type Frame =
  | ({ readonly kind: 'call' } & CallFrame)
  | ({ readonly kind: 'item' } & ItemFrame)
  | ({ readonly kind: 'more' } & MoreFrame)
  | ({ readonly kind: 'end' } & EndFrame)
  | ({ readonly kind: 'cancel' } & CancelFrame)
  | ({ readonly kind: 'items' } & ItemsFrame);

export interface CallFrame {
  readonly id: number;
  /** As in the folder names of the protos: "volume". */
  readonly service: string;
  /** In camelCase. */
  readonly method: string;
  readonly driver: string;
  readonly operationId: string;
  /** Of a unary call; absent: requests come as items. */
  readonly request?: Buffer;
  /** So many items of the answer may be on their way, and several may come in one `items`. Absent: 16, one by one. */
  readonly window?: number;
}

/** A request or an answer; the one answer of a unary call ends it. At most 16 may be on their way in a stream. */
export interface ItemFrame {
  readonly id: number;
  readonly toCaller: boolean;
  readonly payload: Buffer;
}

/** Items of an answer in their order, for who gave a `window`. */
export interface ItemsFrame {
  readonly id: number;
  readonly toCaller: boolean;
  readonly payloads: readonly Buffer[];
}

/** The receiver has room for more items. */
export interface MoreFrame {
  readonly id: number;
  readonly toCaller: boolean;
  /** Absent: for one. Only to who sent `items`. */
  readonly count?: number;
}

export interface EndFrame {
  readonly id: number;
  readonly toCaller: boolean;
  readonly failure?: Failure;
}

export interface Failure {
  readonly code: number;
  readonly message: string;
  /** As in the trailer `grpc-status-details-bin`. */
  readonly details: Buffer;
}

export interface CancelFrame {
  readonly id: number;
}

/**
 * Every plugin serves this, and one service per contract that it provides.
 * The metadata entry `gantry-driver` of a call to a contract names the driver; `gantry-operation` is for tracing.
 */
export interface PluginService {
  /** The first call: versions are agreed and the plugin proves that it is the one that was started. */
  handshake(request: HandshakeRequest, ctx: Ctx): Promise<HandshakeResponse>;
  /** Activates the plugin with its settings, or gives new ones to a running one. */
  configure(request: ConfigureRequest, ctx: Ctx): Promise<ConfigureResponse>;
  /** A driver whose name the manifest leaves open ("*"); `not_found` when this plugin cannot have it. */
  find(request: FindRequest, ctx: Ctx): Promise<DriverInfo>;
  names(request: NamesRequest, ctx: Ctx): Promise<NamesResponse>;
  /** The engine sends what it believes exists; the plugin answers how each is. Runs at every start of a generation. */
  reconcile(requests: AsyncIterable<Ref>, ctx: Ctx): AsyncIterable<RefState>;
  selfTest(request: SelfTestRequest, ctx: Ctx): Promise<SelfTestResponse>;
  /** Ends what is under way and takes no more; the answer comes when nothing is left, or at the deadline. */
  drain(request: DrainRequest, ctx: Ctx): Promise<DrainResponse>;
  resume(request: Record<string, never>, ctx: Ctx): Promise<void>;
  /**
   * Calls of every service in frames, in both directions, at a fraction of what they cost one by one. Optional: a plugin without it answers
   * UNIMPLEMENTED and is called one by one.
   */
  session(requests: AsyncIterable<Frame>, ctx: Ctx): AsyncIterable<Frame>;
  /** Whether it answers at all. */
  ping(request: Record<string, never>, ctx: Ctx): Promise<void>;
}
