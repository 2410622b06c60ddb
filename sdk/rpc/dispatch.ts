import { invalidArgument, notFound, notImplemented, unavailable } from '../errors.ts';
import { decode, encode } from './codec.ts';
import { type MethodSchema, schema } from './schema.ts';
import type { CallFacts, Handler, MethodName } from './wire.ts';

export interface DispatchOptions {
  /** The object that serves: of a contract, the driver of that name. */
  readonly find: (service: string, driver: string) => object | undefined | Promise<object | undefined>;
  /** What a method gets as its second argument. */
  readonly ctx: (facts: CallFacts) => object;
}

/** Calls arriving at objects: decodes, finds, calls, encodes. Counts what is under way, so that it can be waited for. */
export class Dispatcher implements Handler {
  readonly #options: DispatchOptions;
  #underWay = 0;
  #isDraining = false;
  #onIdle: (() => void)[] = [];

  constructor(options: DispatchOptions) {
    this.#options = options;
  }

  get underWay(): number {
    return this.#underWay;
  }

  async unary(name: MethodName, request: Uint8Array, facts: CallFacts): Promise<Uint8Array> {
    const shape = shapeOf(name);
    using _counted = this.#enter(name);
    const method = await this.#method(name, facts);
    return encode(shape.answer, await method(decode(shape.request, request), this.#options.ctx(facts)));
  }

  async *stream(name: MethodName, requests: AsyncIterable<Uint8Array>, facts: CallFacts): AsyncIterable<Uint8Array> {
    const shape = shapeOf(name);
    this.#refuseWhileDraining(name);
    const method = await this.#method(name, facts);
    const given = shape.requestStream === true ? decoded(shape.request, requests) : decode(shape.request, await first(requests, name));
    const answer = method(given, this.#options.ctx(facts));
    if (shape.answerStream !== true) yield encode(shape.answer, await answer);
    else for await (const item of answer as AsyncIterable<unknown>) yield encode(shape.answer, item);
  }

  /** Refuses new calls of contracts and resolves when none is under way, or when the time is over; with how many are left. Streams are not waited for: one that listens has no end of its own. */
  async drain(deadlineMs: number): Promise<number> {
    this.#isDraining = true;
    if (this.#underWay === 0) return 0;
    const idle = new Promise<void>((resolve) => this.#onIdle.push(resolve));
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, deadlineMs);
    await Promise.race([idle, timer.promise]);
    clearTimeout(timeout);
    return this.#underWay;
  }

  resume(): void {
    this.#isDraining = false;
  }

  #enter(name: MethodName): Disposable {
    if (isOwn(name.service)) return { [Symbol.dispose]: () => {} };
    this.#refuseWhileDraining(name);
    this.#underWay += 1;
    return {
      [Symbol.dispose]: () => {
        this.#underWay -= 1;
        if (this.#underWay > 0) return;
        for (const resolve of this.#onIdle.splice(0)) resolve();
      },
    };
  }

  #refuseWhileDraining({ service }: MethodName): void {
    if (this.#isDraining && !isOwn(service)) throw unavailable('the plugin is ending and takes no more calls', { reason: 'DRAINING' });
  }

  async #method({ service, method }: MethodName, { driver }: CallFacts): Promise<(given: unknown, ctx: object) => unknown> {
    const target = await this.#options.find(service, driver);
    if (target === undefined)
      throw notFound(isOwn(service) ? `no ${service} service here` : `no ${service} driver "${driver}" here`, {
        reason: 'DRIVER_NOT_FOUND',
      });
    const found: unknown = Reflect.get(target, method);
    if (typeof found !== 'function') throw notImplemented(`${service} driver "${driver}" has no ${method}`);
    return (given, ctx) => Reflect.apply(found, target, [given, ctx]);
  }
}

const isOwn = (service: string): boolean => service === 'plugin' || service === 'host';

function shapeOf({ service, method }: MethodName): MethodSchema {
  const methods = Object.hasOwn(schema.services, service) ? schema.services[service]?.methods : undefined;
  const shape = methods !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (shape === undefined) throw notImplemented(`no method ${service}.${method}`);
  return shape;
}

async function* decoded(type: string, items: AsyncIterable<Uint8Array>): AsyncIterable<unknown> {
  for await (const bytes of items) yield decode(type, bytes);
}

async function first(items: AsyncIterable<Uint8Array>, { method }: MethodName): Promise<Uint8Array> {
  // Not `for await`, whose early end would close the stream that the answer goes out by.
  const { value, done } = await items[Symbol.asyncIterator]().next();
  if (done !== true) return value;
  throw invalidArgument(`${method} was called without a request`);
}
