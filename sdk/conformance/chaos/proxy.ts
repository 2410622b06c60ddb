import { setTimeout as sleep } from 'node:timers/promises';
import { notImplemented, unavailable } from '../../errors.ts';
import { type CallFacts, connectGrpc, type Handler, type MethodName, schema, serveGrpc, type Wire } from '../../rpc/index.ts';
import { type Fault, matches } from './fault.ts';
import { Gathering } from './gathering.ts';
import { Relay } from './relay.ts';

/** Stands between an engine and a plugin's socket, and lets calls meet with faults. Without any it changes nothing. */
export interface ChaosProxy extends AsyncDisposable {
  /** From now on, for calls of methods like "volume.create" or "volume.*": so many of them, or all. What is injected first is met first. */
  inject(pattern: string, fault: Fault, times?: number): void;
  /** No more faults from now on. */
  calm(): void;
  /** How many calls have met with one so far. */
  readonly met: number;
}

/**
 * Listens at one unix socket for a plugin that listens at another. Calls are passed on one by one: a session is refused, as by a plugin that
 * has none. The plugin may start later than the proxy, not later than the first call.
 */
export async function chaosProxy({ listen, plugin }: { readonly listen: string; readonly plugin: string }): Promise<ChaosProxy> {
  await using undo = new AsyncDisposableStack();
  const inner = `${listen}.in`;
  const relay = await Relay.open(listen, inner);
  undo.use(relay);
  const calls = new ChaoticCalls(plugin, relay);
  undo.defer(() => calls.close());
  undo.use(await serveGrpc(inner, Object.keys(schema.services), calls));
  const whole = undo.move();
  return {
    inject: (pattern, fault, times = Number.POSITIVE_INFINITY) => calls.inject(pattern, fault, times),
    calm: () => calls.calm(),
    get met() {
      return calls.met;
    },
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  };
}

interface Injected {
  readonly pattern: string;
  readonly fault: Fault;
  readonly gathering: Gathering;
  left: number;
}
interface Met {
  readonly fault: Fault | undefined;
  readonly gathering: Gathering;
}

class ChaoticCalls implements Handler {
  readonly #plugin: string;
  readonly #relay: Relay;
  #wire: Promise<Wire> | undefined;
  #injected: Injected[] = [];
  met = 0;

  constructor(plugin: string, relay: Relay) {
    this.#plugin = plugin;
    this.#relay = relay;
  }

  inject(pattern: string, fault: Fault, times: number): void {
    this.#injected.push({ pattern, fault, left: times, gathering: new Gathering(fault.kind === 'reorder' ? fault.calls : 1) });
  }

  calm(): void {
    this.#injected = [];
  }

  async close(): Promise<void> {
    (await this.#wire?.catch(() => undefined))?.close();
  }

  async unary(name: MethodName, request: Uint8Array, facts: CallFacts): Promise<Uint8Array> {
    const wire = await this.#connected();
    const { fault, gathering } = this.#meet(name);
    const forward = (signal = facts.signal): Promise<Uint8Array> => wire.unary(name, request, { ...facts, signal });
    switch (fault?.kind) {
      case undefined:
        return forward();
      case 'delay':
        return after(forward(), () => sleep(fault.ms));
      case 'lose-call':
        return this.#lost();
      case 'lose-answer':
        await forward().catch(() => {});
        return this.#lost();
      case 'cut':
        return this.#cutOff(fault.afterMs, facts, forward);
      case 'duplicate':
        return fault.together === true ? lastOf(await Promise.allSettled([forward(), forward()])) : forward().then(() => forward());
      case 'truncate':
        return after(forward(), async () => this.#relay.truncate());
      case 'reorder':
        return after(forward(), () => gathering.join());
      default:
        return fault satisfies never;
    }
  }

  async *stream(name: MethodName, requests: AsyncIterable<Uint8Array>, facts: CallFacts): AsyncIterable<Uint8Array> {
    if (name.service === 'plugin' && name.method === 'session') throw notImplemented('calls are passed on one by one here');
    const wire = await this.#connected();
    const { fault } = this.#meet(name);
    const stop = new AbortController();
    const signal = AbortSignal.any([facts.signal, stop.signal]);
    if (fault?.kind === 'lose-call') await this.#lost();
    if (fault?.kind === 'delay') await sleep(fault.ms);
    const timer = fault?.kind === 'cut' ? setTimeout(() => stop.abort(), fault.afterMs) : undefined;
    try {
      for await (const bytes of wire.stream(name, requests, { ...facts, signal })) {
        if (fault?.kind === 'truncate') this.#relay.truncate();
        yield bytes;
        if (fault?.kind === 'lose-answer') await this.#lost();
      }
    } finally {
      clearTimeout(timer);
      if (stop.signal.aborted) this.#relay.cut();
    }
  }

  #connected(): Promise<Wire> {
    this.#wire ??= connectGrpc(`unix://${this.#plugin}`).catch((error: unknown) => {
      this.#wire = undefined;
      throw error;
    });
    return this.#wire;
  }

  #meet({ service, method }: MethodName): Met {
    const found = this.#injected.find(({ pattern, left }) => left > 0 && matches(`${service}.${method}`, pattern));
    if (found === undefined) return { fault: undefined, gathering: new Gathering(1) };
    found.left -= 1;
    this.met += 1;
    return found;
  }

  /** Of the connection, so that nobody hears this. */
  async #lost(): Promise<never> {
    this.#relay.cut();
    throw unavailable('the connection was cut');
  }

  async #cutOff(afterMs: number, facts: CallFacts, forward: (signal: AbortSignal) => Promise<unknown>): Promise<never> {
    const stop = new AbortController();
    const answered = forward(AbortSignal.any([facts.signal, stop.signal])).catch(() => {});
    await Promise.race([answered, sleep(afterMs)]);
    stop.abort();
    this.#relay.cut();
    await answered;
    throw unavailable('the connection was cut');
  }
}

/** The same answer, or refusal, a while later. */
async function after<Answer>(answer: Promise<Answer>, wait: () => Promise<void>): Promise<Answer> {
  await Promise.allSettled([answer]);
  await wait();
  return await answer;
}

/** The later of two answers; a refusal counts only when there is no other. */
function lastOf(outcomes: readonly PromiseSettledResult<Uint8Array>[]): Uint8Array {
  const good = outcomes.findLast((outcome) => outcome.status === 'fulfilled');
  if (good !== undefined) return good.value;
  throw (outcomes[0] as PromiseRejectedResult).reason as Error;
}
