import {
  type Ctx,
  type DeadlineClass,
  deadlineExceeded,
  GantryError,
  internal,
  type Logger,
  type MethodOptions,
  messageOf,
} from '@gantry/sdk';
import { KeyedMutex, operationId, withDeadline } from '../support/index.ts';

/** Milliseconds until a call that has not answered counts as failed. */
export const deadlines = { fast: 2_000, normal: 30_000, long: 600_000, stream: Number.POSITIVE_INFINITY } as const satisfies Record<
  DeadlineClass,
  number
>;

type Method = (request: unknown, ctx: Ctx) => unknown;
export type MethodTable = Readonly<Record<string, MethodOptions>>;

/**
 * A naive driver in, a dependable one out: every call has a deadline and an abort, calls with the same key wait for each other, what is
 * thrown becomes a GantryError that names driver and method. Properties that are not methods, and methods the driver lacks, stay as they are.
 */
export function guard<Driver extends object>(driver: Driver, methods: MethodTable, label: string): Driver {
  const mutex = new KeyedMutex();
  const guarded = Object.create(driver) as Record<string, unknown>;
  for (const [name, options] of Object.entries(methods)) {
    const method: unknown = Reflect.get(driver, name);
    if (typeof method !== 'function') continue;
    const call: Method = (request, ctx) => Reflect.apply(method, driver, [request, ctx]);
    const what = `${label}: ${name}`;
    guarded[name] = options.answer === 'stream' ? guardStream(call, what) : guardUnary(call, options, what, mutex);
  }
  return guarded as Driver;
}

/** The second argument of a driver call, for callers inside the core. */
export function driverContext(log: Logger, signal?: AbortSignal): Ctx {
  return { signal: signal ?? never, log, operationId: operationId() };
}

const never = new AbortController().signal;

function guardUnary(call: Method, { deadline, key }: MethodOptions, what: string, mutex: KeyedMutex): Method {
  const timeoutMs = deadlines[deadline];
  return async (request, ctx) => {
    try {
      using _held = key === undefined ? undefined : await mutex.acquire(keyOf(request, key), { signal: ctx.signal });
      return await withDeadline(timeoutMs, ({ signal }) => call(request, { ...ctx, signal }), { signal: ctx.signal });
    } catch (error) {
      throw translate(error, what, timeoutMs);
    }
  };
}

function guardStream(call: Method, what: string): Method {
  return async function* (request, ctx) {
    try {
      yield* call(request, ctx) as AsyncIterable<unknown>;
    } catch (error) {
      throw translate(error, what, Number.NaN);
    }
  };
}

function keyOf(request: unknown, key: string): string {
  const value: unknown = typeof request === 'object' && request !== null ? Reflect.get(request, key) : undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function translate(error: unknown, what: string, timeoutMs: number): unknown {
  if (GantryError.is(error)) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return deadlineExceeded(`${what} did not answer in ${timeoutMs / 1e3} s`, { cause: error });
  }
  if (error instanceof Error && error.name === 'AbortError') return error;
  return internal(`${what}: ${messageOf(error)}`, { cause: error });
}
