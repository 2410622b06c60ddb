import type { ActionTimes } from '@gantry/sdk/engine';

/** Upper ends of the buckets, in seconds: those that Docker's numbers have. */
const ends = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

interface Times {
  count: number;
  seconds: number;
  /** As `ends`, not summed up. */
  readonly buckets: number[];
}

/** How long what clients asked for took. Counting costs less than a microsecond. */
export class Actions {
  readonly #times = new Map<string, Times>();

  /** Sorted; `buckets` count everything up to their end, as Prometheus' do. */
  list(): readonly ActionTimes[] {
    return [...this.#times]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { count, seconds, buckets }]) => {
        const [kind = '', action = ''] = key.split(' ');
        let below = 0;
        return {
          kind: kind as ActionTimes['kind'],
          action,
          count,
          seconds,
          buckets: ends.map((atMostSeconds, index) => ({ atMostSeconds, count: (below += buckets[index] ?? 0) })),
        };
      });
  }

  /** The same object, whose methods are timed that `names` calls by an action's name. Failures count like successes. */
  timed<Room extends object>(kind: ActionTimes['kind'], room: Room, names: { readonly [Method in keyof Room]?: string }): Room {
    const known = new Map<PropertyKey, unknown>();
    return new Proxy(room, {
      get: (target, key) => {
        const made = known.get(key);
        if (made !== undefined) return made;
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        const action = (names as Readonly<Record<PropertyKey, string | undefined>>)[key];
        const bound = value.bind(target) as (...given: readonly unknown[]) => unknown;
        const method =
          action === undefined ? bound : (...given: readonly unknown[]) => this.#time(`${kind} ${action}`, () => bound(...given));
        known.set(key, method);
        return method;
      },
    });
  }

  async #time(key: string, work: () => unknown): Promise<unknown> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.#add(key, (performance.now() - began) / 1e3);
    }
  }

  #add(key: string, seconds: number): void {
    const times = this.#times.get(key) ?? { count: 0, seconds: 0, buckets: ends.map(() => 0) };
    this.#times.set(key, times);
    times.count += 1;
    times.seconds += seconds;
    const index = ends.findIndex((end) => seconds <= end);
    if (index >= 0) times.buckets[index] = (times.buckets[index] ?? 0) + 1;
  }
}
