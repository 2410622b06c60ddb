import { GantryError, internal, messageOf } from '../errors.ts';
import { decode, encode } from './codec.ts';
import { type MethodSchema, schema } from './schema.ts';
import type { CallFacts, Wire } from './wire.ts';

export interface RemoteOptions {
  readonly driver?: string;
  /** The methods that the peer has; absent: all of the service. */
  readonly methods?: readonly string[];
  /** The driver's constants. */
  readonly properties?: unknown;
}
interface RemoteCtx {
  readonly signal: AbortSignal;
  readonly operationId: string;
}

/** The object of a contract behind a wire: the caller cannot tell it from one in its own process. An answer that does not hold what the contract wants is `internal`. */
export function remote<Service extends object>(
  wire: Wire,
  service: string,
  { driver = '', methods, properties }: RemoteOptions = {},
): Service {
  const object: Record<string, unknown> = properties === undefined ? {} : { ...(properties as object) };
  for (const [method, shape] of Object.entries(schema.services[service]?.methods ?? {})) {
    if (methods === undefined || methods.includes(method)) object[method] = callOf(wire, { service, method }, shape, driver);
  }
  return object as Service;
}

function callOf(wire: Wire, name: { readonly service: string; readonly method: string }, shape: MethodSchema, driver: string) {
  const facts = ({ signal, operationId }: RemoteCtx): CallFacts => ({ driver, operationId, signal });
  const answer = (bytes: Uint8Array): unknown => decodeAnswer(shape, bytes, name.method);
  if (shape.requestStream !== true && shape.answerStream !== true) {
    return async (request: unknown, ctx: RemoteCtx) => answer(await wire.unary(name, encode(shape.request, request), facts(ctx)));
  }
  const requestsOf = (given: unknown): AsyncIterable<Uint8Array> =>
    encoded(shape.request, shape.requestStream === true ? (given as AsyncIterable<unknown>) : only(given));
  if (shape.answerStream === true) {
    return async function* (given: unknown, ctx: RemoteCtx) {
      for await (const bytes of wire.stream(name, requestsOf(given), facts(ctx))) yield answer(bytes);
    };
  }
  return async (given: unknown, ctx: RemoteCtx) => {
    for await (const bytes of wire.stream(name, requestsOf(given), facts(ctx))) return answer(bytes);
    throw internal(`${name.method} ended without an answer`);
  };
}

function decodeAnswer(shape: MethodSchema, bytes: Uint8Array, method: string): unknown {
  if (shape.answer === 'google.protobuf.Empty') return undefined;
  try {
    return decode(shape.answer, bytes);
  } catch (error) {
    throw internal(`the answer of ${method} is not what the contract says: ${messageOf(error)}`, {
      cause: error,
      reason: 'INVALID_ANSWER',
      ...(GantryError.is(error) ? {} : { facts: { bytes: bytes.length } }),
    });
  }
}

async function* encoded(type: string, items: AsyncIterable<unknown>): AsyncIterable<Uint8Array> {
  for await (const item of items) yield encode(type, item);
}

async function* only(item: unknown): AsyncIterable<unknown> {
  yield item;
}
