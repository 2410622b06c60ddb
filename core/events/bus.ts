import { type Abortable, exhausted, invalidArgument } from '@gantry/sdk';
import type { EngineEvent, Events, EventType, Filters } from '@gantry/sdk/engine';
import type { LogTime } from '@gantry/sdk/log';
import { eventMatcher } from './filter.ts';

const rememberedEvents = 256;
const subscriberBacklog = 4_096;

interface Subscriber {
  readonly matches: (event: EngineEvent) => boolean;
  readonly queue: EngineEvent[];
  wake: () => void;
  readonly onBehind: (reason: Error) => void;
  /** Why it gets no more. */
  behind: Error | undefined;
}

/** The typed bus: broadcast only, nobody is ever asked for anything through it. */
export class EventBus implements Events {
  readonly #past: EngineEvent[] = [];
  readonly #subscribers = new Set<Subscriber>();

  get listeners(): number {
    return this.#subscribers.size;
  }

  publish(type: EventType, action: string, id: string, attributes: Readonly<Record<string, string>> = {}): void {
    const event: EngineEvent = { type, action, actor: { id, attributes }, scope: 'local', time: now() };
    this.#past.push(event);
    if (this.#past.length > rememberedEvents) this.#past.shift();
    for (const subscriber of this.#subscribers) {
      if (!subscriber.matches(event)) continue;
      if (subscriber.queue.length < subscriberBacklog) subscriber.queue.push(event);
      else if (subscriber.behind === undefined) {
        subscriber.behind = exhausted(`events reader fell ${subscriberBacklog} events behind`);
        subscriber.onBehind(subscriber.behind);
      }
      subscriber.wake();
    }
  }

  subscribe(query: Parameters<Events['subscribe']>[0]): AsyncIterable<EngineEvent> {
    const { since, until, onBehind = () => {} } = query;
    if (since !== undefined && until !== undefined && compare(until, since) < 0) {
      throw invalidArgument('`since` time cannot be after `until` time');
    }
    const matches = eventMatcher(query.filters ?? ({} satisfies Filters));
    const past =
      since === undefined && until === undefined ? [] : this.#past.filter((event) => matches(event) && within(event.time, since, until));
    const subscriber: Subscriber = { matches, queue: [...past], wake: () => {}, onBehind, behind: undefined };
    if (until === undefined || compare(until, now()) > 0) this.#subscribers.add(subscriber);
    return this.#follow(subscriber, query);
  }

  async *#follow(subscriber: Subscriber, { until, signal }: { readonly until?: LogTime } & Abortable): AsyncIterable<EngineEvent> {
    const wake = () => subscriber.wake();
    // The timer says when it is over, not a clock: timers may fire a fraction of a millisecond early, and nobody would wake us again.
    let isOver = until !== undefined && !this.#subscribers.has(subscriber);
    const end = () => {
      isOver = true;
      wake();
    };
    const timer = until === undefined || isOver ? undefined : setTimeout(end, Math.min(millisecondsUntil(until), longestTimerMs));
    signal?.addEventListener('abort', wake);
    try {
      while (signal?.aborted !== true) {
        const event = subscriber.queue.shift();
        if (event !== undefined) yield event;
        else if (subscriber.behind !== undefined) throw subscriber.behind;
        else if (isOver) return;
        else await new Promise<void>((resolve) => (subscriber.wake = resolve));
      }
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', wake);
      this.#subscribers.delete(subscriber);
    }
  }
}

const longestTimerMs = 2 ** 31 - 1;

function millisecondsUntil({ seconds, nanos }: LogTime): number {
  return Math.max(0, Math.ceil(seconds * 1e3 + nanos / 1e6 - Date.now()));
}

/** The wall clock, which clients compare with their own; its nanoseconds only tell events of one millisecond apart. */
function now(): LogTime {
  const milliseconds = Date.now();
  return { seconds: Math.floor(milliseconds / 1e3), nanos: (milliseconds % 1e3) * 1e6 + (process.hrtime()[1] % 1e6) };
}

const compare = (a: LogTime, b: LogTime) => a.seconds - b.seconds || a.nanos - b.nanos;

function within(time: LogTime, since: LogTime | undefined, until: LogTime | undefined): boolean {
  return (since === undefined || compare(time, since) >= 0) && (until === undefined || compare(time, until) <= 0);
}
