import { type Ctx, GantryError, messageOf } from '@gantry/sdk';
import type { Place } from '@gantry/sdk/transport';
import { Registry } from './registry.ts';
import type { RegistrySettings } from './settings.ts';

const leftOutMs = 60_000;

/** One way to read: from a registry, where it has the repository. */
type Read<T> = (registry: Registry, place: Place) => T;

/**
 * What is read of a registry is asked of its mirrors first, and of itself when none of them gives it. Nobody's credentials go to a mirror.
 * One that fails is left out for a minute: a dead one does not cost every request its patience.
 */
export class Mirrors implements Disposable {
  readonly #registry: Registry;
  /** Has no patience: there is somebody else to ask. */
  readonly #mirrors: Registry;
  readonly #hosts: ReadonlyMap<string, readonly string[]>;
  readonly #usableFromMs = new Map<string, number>();

  constructor(registry: Registry, settings: RegistrySettings) {
    this.#registry = registry;
    const addresses = Object.entries(settings.mirrors).map(([host, mirrors]) => [host, mirrors.map((mirror) => new URL(mirror))] as const);
    this.#hosts = new Map(addresses.map(([host, mirrors]) => [host, mirrors.map((mirror) => mirror.host)]));
    const plain = addresses.flatMap(([, mirrors]) => mirrors).filter(({ protocol }) => protocol === 'http:');
    const insecureRegistries = [...settings.insecureRegistries, ...plain.map(({ host }) => host)];
    this.#mirrors = new Registry({ ...settings, insecureRegistries, attempts: 1 });
  }

  /** The first answer; the registry's own failure when there is none. */
  async read<T>(place: Place, { signal, log }: Ctx, read: Read<Promise<T>>): Promise<T> {
    for (const mirror of this.#usable(place)) {
      try {
        return await read(this.#mirrors, mirror);
      } catch (error) {
        signal.throwIfAborted();
        this.#failed(mirror, error, log);
      }
    }
    return await read(this.#registry, place);
  }

  /** The bytes of the first that sends some; once they flow a failure is told, and whoever reads comes back for the rest. */
  async *stream(place: Place, { signal, log }: Ctx, read: Read<AsyncIterable<Buffer>>): AsyncIterable<Buffer> {
    for (const mirror of this.#usable(place)) {
      let hasBegun = false;
      try {
        for await (const chunk of read(this.#mirrors, mirror)) {
          hasBegun = true;
          yield chunk;
        }
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.#failed(mirror, error, log);
        if (hasBegun) throw error;
      }
    }
    yield* read(this.#registry, place);
  }

  [Symbol.dispose](): void {
    this.#mirrors[Symbol.dispose]();
  }

  #usable({ host, auth: _kept, ...place }: Place): readonly Place[] {
    const usable = (this.#hosts.get(host) ?? []).filter((mirror) => (this.#usableFromMs.get(mirror) ?? 0) <= Date.now());
    return usable.map((mirror) => ({ ...place, host: mirror }));
  }

  /** That it does not have something is no failure. */
  #failed({ host }: Place, error: unknown, log: Ctx['log']): void {
    if (GantryError.is(error) && error.code === 'not_found') return;
    this.#usableFromMs.set(host, Date.now() + leftOutMs);
    log.warn({ mirror: host, error: messageOf(error) }, `mirror ${host} fails, it is left out for ${leftOutMs / 1000} s`);
  }
}
