// Made by `npm run generate` of proto/gantry/host/v1: change it there.
import type { Ctx } from '../types/index.ts';

export interface LogRequest {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: unknown;
}

export interface DataPath {
  /** Relative to the data folder. */
  readonly path: string;
}

export interface StateKey {
  readonly key: string;
}

export interface StateGetResponse {
  readonly entry?: StateEntry;
}

export interface StateEntry {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

export interface StateWrite {
  readonly key: string;
  /** Absent: delete. */
  readonly value?: string;
  /** Absent: whatever is there; 0: must not exist. */
  readonly expectedRevision?: number;
}

export interface StatePutRequest {
  readonly writes: readonly StateWrite[];
  readonly relaxed: boolean;
}

export interface StatePrefix {
  readonly prefix: string;
}

export interface LookupRequest {
  readonly kind: string;
  readonly id: string;
}

export interface LookupResponse {
  readonly found: boolean;
  readonly facts: unknown;
}

export interface SubscribeRequest {
  readonly topics: readonly string[];
}

export interface Event {
  readonly facts: unknown;
}

export interface ReportRequest {
  readonly metrics?: Readonly<Record<string, number>>;
  readonly operationId?: string;
  readonly progress?: number;
  readonly degraded: readonly string[];
  /** Whether `degraded` says something: an empty list means "works well again". */
  readonly hasDegraded: boolean;
}

/** Served by the engine to one plugin, on that plugin's own socket. Every call is answered from what is recorded, without waiting for any operation. */
export interface HostService {
  log(requests: AsyncIterable<LogRequest>, ctx: Ctx): Promise<void>;
  stateGet(request: StateKey, ctx: Ctx): Promise<StateGetResponse>;
  /** Compare-and-set of several keys in one transaction, fsynced before the answer unless `relaxed`. */
  statePut(request: StatePutRequest, ctx: Ctx): Promise<void>;
  stateList(request: StatePrefix, ctx: Ctx): AsyncIterable<StateEntry>;
  /** Facts that the plugin was granted; `found` is false for what is not there. */
  lookup(request: LookupRequest, ctx: Ctx): Promise<LookupResponse>;
  subscribe(request: SubscribeRequest, ctx: Ctx): AsyncIterable<Event>;
  report(request: ReportRequest, ctx: Ctx): Promise<void>;
  /** Deletes what is at a path of the plugin's own data folder, whoever it belongs to: what containers wrote into a volume is not the plugin's to delete. */
  removeData(request: DataPath, ctx: Ctx): Promise<void>;
}
