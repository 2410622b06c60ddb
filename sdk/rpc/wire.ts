/** What carries calls: gRPC over a unix socket, or a message port to a worker. Bytes only; errors are GantryErrors on both sides. */

/** What goes with a call besides its message. */
export interface CallFacts {
  /** Of a contract's service: the driver's name. */
  readonly driver: string;
  /** For tracing, and to recognise a call back into the engine from within a call. */
  readonly operationId: string;
  readonly signal: AbortSignal;
}
/** A method, as the schema names it: service "graph", method "prepare". */
export interface MethodName {
  readonly service: string;
  readonly method: string;
}
/** The calling side. When the signal fires, the peer is told and the call rejects with the signal's reason. */
export interface Wire {
  unary(name: MethodName, request: Uint8Array, facts: CallFacts): Promise<Uint8Array>;
  /** Requests in a stream or one alone; answers in a stream. Ending the iteration early cancels the call. */
  stream(name: MethodName, requests: AsyncIterable<Uint8Array>, facts: CallFacts): AsyncIterable<Uint8Array>;
  close(): void;
}
/** The called side. */
export interface Handler {
  unary(name: MethodName, request: Uint8Array, facts: CallFacts): Promise<Uint8Array>;
  stream(name: MethodName, requests: AsyncIterable<Uint8Array>, facts: CallFacts): AsyncIterable<Uint8Array>;
}
/** Longest message on any wire, bytes: gRPC's default. */
export const maxMessageBytes = 4 * 1024 * 1024;
