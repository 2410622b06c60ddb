/**
 * The front end contract: an API server over the engine. Front ends live in the engine's process.
 *
 * serve() listens on every address that it understands and resolves when all of them accept connections; closing the answer stops
 * accepting, lets short requests end, and cuts streams.
 */
import type { AuthzDriver } from '../authz/index.ts';
import type { Engine } from '../engine/index.ts';
import type { Ctx } from '../types/index.ts';

export interface ServeRequest {
  readonly engine: Engine;
  /** unix:///path, fd://N, tcp://host:port, metrics://host:port. Each front end serves those that it understands and leaves the others. */
  readonly hosts: readonly string[];
  /** Group that may use the unix sockets; absent: root only. */
  readonly socketGroup?: string;
  /** Of tcp hosts, which are refused without it: nobody is served who has no certificate of the authority. */
  readonly tls?: TlsFiles;
  /** Who must allow every request, in this order, by the contract of kind `authz`; empty or absent: nobody. */
  readonly authorization?: readonly AuthzLink[];
}
/** Absolute paths of PEM files. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}
export interface AuthzLink {
  readonly name: string;
  /** Looked up at each use; what it rejects with refuses the request. */
  readonly driver: () => Promise<AuthzDriver>;
}
export interface Serving extends AsyncDisposable {
  readonly addresses: readonly string[];
  /** Milliseconds since the last connection ended; 0 while there is one. */
  idleMs(): number;
}
export interface Frontend {
  serve(request: ServeRequest, ctx: Ctx): Promise<Serving>;
}
