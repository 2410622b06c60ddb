import type { Ref, RefState } from '@gantry/sdk';
import type { PluginInfo, PluginObject, PluginOrphan } from '@gantry/sdk/engine';
import type { PluginState } from '../../metadata/index.ts';
import { type Comparison, refKey } from './comparison.ts';

export interface ObjectsOptions {
  /** Where it is kept since when orphans are there. */
  readonly state: PluginState;
  readonly key: string;
  /** What the records have of the plugin's drivers now. */
  readonly known: () => ReadonlySet<string>;
  /** Told of what is missing whenever that changes, one line each. */
  readonly onMissing: (reasons: readonly string[]) => void;
}
/** Nobody looks through more, and the store takes no more in one value. */
const mostKept = 500;
const mostCharacters = 65_000;
const mostNamed = 10;

/** Which objects of one plugin are missing or unknown: told by the plugin when it was asked, and found out when they were used. */
export class PluginObjects {
  readonly #options: ObjectsOptions;
  #told = new Map<string, RefState>();
  /** The plugin says that they are there, and they are not. */
  readonly #found = new Map<string, RefState>();
  #orphans: readonly RefState[] = [];

  constructor(options: ObjectsOptions) {
    this.#options = options;
  }

  /** The plugin was asked. */
  compared({ missing, orphans }: Comparison): void {
    this.#told = new Map(missing.map((state) => [refKey(state.ref), state]));
    this.#orphans = fitting(orphans);
    this.#remember();
    this.#tell();
  }

  /** It was to be used and is not there, whatever the plugin says. */
  lost(ref: Ref, detail: string): void {
    this.#found.set(refKey(ref), { ref, state: 'missing', detail });
    this.#tell();
  }

  /** It was used. */
  seen(ref: Ref): void {
    if (this.#found.delete(refKey(ref))) this.#tell();
  }

  /** As users see them. */
  info(): Pick<PluginInfo, 'missing' | 'orphans'> {
    // What was missing may have been removed meanwhile.
    if (this.#told.size + this.#found.size > 0) this.#tell();
    const missing = this.#missing();
    return {
      ...(missing.length === 0 ? {} : { missing: missing.map(objectOf) }),
      ...(this.#orphans.length === 0 ? {} : { orphans: this.orphans.map(({ orphan }) => orphan) }),
    };
  }

  /** With the time since when each is there, milliseconds from 1970. */
  get orphans(): readonly { readonly state: RefState; readonly since: number; readonly orphan: PluginOrphan }[] {
    const seen = this.#since();
    return this.#orphans.map((state) => {
      const since = seen[refKey(state.ref)] ?? Date.now();
      return { state, since, orphan: { ...objectOf(state), since: new Date(since) } };
    });
  }

  forget(ref: Ref): void {
    this.#orphans = this.#orphans.filter((state) => refKey(state.ref) !== refKey(ref));
    this.#remember();
  }

  #missing(): readonly RefState[] {
    const all = new Map([...this.#told, ...this.#found]);
    if (all.size === 0) return [];
    const known = this.#options.known();
    return [...all].flatMap(([key, state]) => (known.has(key) ? [state] : []));
  }

  #tell(): void {
    const lines = this.#missing().map(({ ref: { kind, id } }) => `${kind} ${id} is missing`);
    const more = lines.length > mostNamed ? [`${lines.length - mostNamed} more are missing`] : [];
    this.#options.onMissing([...lines.slice(0, mostNamed), ...more]);
  }

  #since(): Readonly<Record<string, number>> {
    return JSON.parse(this.#options.state.get(this.#options.key)?.value ?? '{}') as Readonly<Record<string, number>>;
  }

  /** Only what changed is written: most plugins never have any. */
  #remember(): void {
    const { state, key } = this.#options;
    const before = this.#since();
    const now = Object.fromEntries(this.#orphans.map(({ ref }) => [refKey(ref), before[refKey(ref)] ?? Date.now()]));
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    state.put([{ key, value: this.#orphans.length === 0 ? undefined : JSON.stringify(now) }], { relaxed: true });
  }
}

function fitting(orphans: readonly RefState[]): readonly RefState[] {
  let left = mostCharacters;
  return orphans.slice(0, mostKept).filter(({ ref }) => (left -= refKey(ref).length * 2 + 20) > 0);
}

function objectOf({ ref: { contract, driver, kind, id }, detail }: RefState): PluginObject {
  return { kind, id, driver: `${contract}/${driver}`, ...(detail === '' ? {} : { detail: detail.slice(0, 256) }) };
}
