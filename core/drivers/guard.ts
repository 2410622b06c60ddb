import {
  type Ctx,
  type DeadlineClass,
  deadlineExceeded,
  exhausted,
  fromErrno,
  GantryError,
  internal,
  type Logger,
  type MethodOptions,
  messageOf,
} from '@gantry/sdk';
import { KeyedMutex, operationId, withDeadline } from '../support/index.ts';
import { Load } from './load.ts';
import { expectProgress } from './progress.ts';

/** Milliseconds until a call that has not answered counts as failed. */
export const deadlines = { fast: 2_000, normal: 30_000, long: 600_000, stream: Number.POSITIVE_INFINITY } as const satisfies Record<
  DeadlineClass,
  number
>;

type Method = (request: unknown, ctx: Ctx) => unknown;
export type MethodTable = Readonly<Record<string, MethodOptions>>;

export interface GuardOptions {
  readonly label: string;
  /** Shared by the drivers of one plugin. */
  readonly load?: Load;
  /** Shared by the objects that stand for the same driver. */
  readonly mutex?: KeyedMutex;
  /** Milliseconds by method, for those whose class's are not right. */
  readonly timeouts?: Readonly<Record<string, number>>;
  /** Told when the driver answered what it must not. */
  readonly onInvalid?: (reason: string) => void;
}

/**
 * A naive driver in, a dependable one out: every call has a deadline and an abort, calls with the same key wait for each other, too many at
 * once wait or are refused, what is thrown becomes a GantryError that names driver and method. Properties that are not methods, and methods
 * the driver lacks, stay as they are.
 */
export function guard<Driver extends object>(driver: Driver, methods: MethodTable, options: GuardOptions): Driver {
  const mutex = options.mutex ?? new KeyedMutex();
  const load = options.load ?? new Load(options.label);
  const guarded = Object.create(driver) as Record<string, unknown>;
  for (const [name, method] of Object.entries(methods)) {
    const naive: unknown = Reflect.get(driver, name);
    if (typeof naive !== 'function') continue;
    const call: Method = (request, ctx) => Reflect.apply(naive, driver, [request, ctx]);
    const facts: Guarded = {
      ...options,
      method: name,
      mutex,
      load,
      what: `${options.label}: ${name}`,
      timeoutMs: options.timeouts?.[name] ?? deadlines[method.deadline],
      key: method.key,
      isLong: method.deadline === 'long',
    };
    guarded[name] = method.answer === 'stream' ? guardStream(call, facts) : guardUnary(call, facts);
  }
  return guarded as Driver;
}

interface Guarded extends GuardOptions {
  readonly mutex: KeyedMutex;
  readonly load: Load;
  readonly method: string;
  readonly what: string;
  readonly timeoutMs: number;
  readonly key: string | undefined;
  /** Its deadline is about standing still: progress that the driver reports starts it anew. */
  readonly isLong: boolean;
}

/** The second argument of a driver call, for callers inside the core. */
export function driverContext(log: Logger, signal?: AbortSignal): Ctx {
  return { signal: signal ?? never, log, operationId: operationId() };
}

const never = new AbortController().signal;

function guardUnary(call: Method, facts: Guarded): Method {
  const { method, key, mutex, load, timeoutMs, isLong } = facts;
  return async (request, ctx) => {
    try {
      using _held = key === undefined ? undefined : await mutex.acquire(keyOf(request, key), { signal: ctx.signal });
      using _place = await load.enter(method, ctx.signal);
      using progress = new DisposableStack();
      const onStart = (again: () => void): void => {
        if (isLong) progress.use(expectProgress(ctx.operationId, again));
      };
      const answer = await withDeadline(timeoutMs, ({ signal }) => call(request, { ...ctx, signal }), { signal: ctx.signal, onStart });
      load.succeeded(method);
      return answer;
    } catch (error) {
      throw failed(error, facts);
    }
  };
}

function guardStream(call: Method, facts: Guarded): Method {
  return async function* (request, ctx) {
    try {
      yield* call(request, ctx) as AsyncIterable<unknown>;
    } catch (error) {
      throw failed(error, facts);
    }
  };
}

/** Only a driver that says nothing counts against the breaker: one that says no is well. */
function failed(error: unknown, { method, what, timeoutMs, load, onInvalid }: Guarded): unknown {
  if (error instanceof DOMException && error.name === 'TimeoutError') load.timedOut(method);
  else if (GantryError.is(error) && error.reason === 'INVALID_ANSWER') onInvalid?.(`${what}: ${error.message}`);
  else if (GantryError.is(error) && error.reason !== 'BREAKER_OPEN') load.succeeded(method);
  return translate(error, what, timeoutMs);
}

function keyOf(request: unknown, key: string): string {
  const value: unknown = typeof request === 'object' && request !== null ? Reflect.get(request, key) : undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function translate(error: unknown, what: string, timeoutMs: number): unknown {
  if (GantryError.is(error)) return isVague(error) ? named(error, what) : error;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return deadlineExceeded(`${what} did not answer in ${timeoutMs / 1e3} s`, { cause: error });
  }
  if (error instanceof Error && error.name === 'AbortError') return error;
  const make = fromErrno(error, what).code === 'exhausted' ? exhausted : internal;
  return make(`${what}: ${messageOf(error)}`, { cause: error });
}

/** "The connection broke" says nothing to who does not know whose. What a driver says of its objects is said well enough. */
const isVague = ({ code, message }: GantryError): boolean =>
  (code === 'internal' || code === 'unavailable' || code === 'exhausted') && !/\b(plugin|driver) /.test(message);

function named({ code, message, hint, reason, facts, retryAfterMs, cause }: GantryError, what: string): GantryError {
  return new GantryError(code, `${what}: ${message}`, { hint, reason, facts, retryAfterMs, cause });
}
