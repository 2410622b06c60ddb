import { type Abortable, messageOf, type Ref } from '@gantry/sdk';
import type { CollectedOrphans, PluginOrphan } from '@gantry/sdk/engine';
import { pluginState } from '../../metadata/index.ts';
import { shortId, withDeadline } from '../../support/index.ts';
import { type Comparison, compare, knownRefs } from './comparison.ts';
import type { Generation } from '../life/generation.ts';
import { PluginObjects } from './objects.ts';
import type { HostOptions } from '../options.ts';
import type { Plugin } from '../life/plugin.ts';
import type { PluginPolicy } from '../life/policy.ts';
import type { Registry } from '../registry.ts';

export interface ComparisonsParts {
  readonly options: HostOptions;
  readonly registry: Registry;
  readonly policy: PluginPolicy;
  /** Has the driver delete it; throws why it cannot be deleted. */
  readonly remove: (ref: Ref, options: Abortable) => Promise<void>;
}

const compareMs = 30_000;
/** A snapshot is on the disk before its record is, for as long as an image takes to be unpacked. */
const settlingMs: { readonly [Kind in Ref['kind']]?: number } = { snapshot: 3_600_000 };

/** Holds what plugins have against the records: at each start of one, from time to time, and when a user wants orphans gone. */
export class Comparisons implements Disposable {
  readonly #parts: ComparisonsParts;
  readonly #objects = new WeakMap<Plugin, PluginObjects>();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(parts: ComparisonsParts) {
    this.#parts = parts;
    this.#schedule();
  }

  of(plugin: Plugin): PluginObjects {
    let objects = this.#objects.get(plugin);
    if (objects === undefined) {
      const { options, registry } = this.#parts;
      objects = new PluginObjects({
        state: pluginState(options.database, 'engine'),
        key: `orphans/${shortId(plugin.record.id)}`,
        known: () => knownRefs(options.database, registry.served(plugin)),
        onMissing: (reasons) => plugin.complain('objects', reasons),
      });
      this.#objects.set(plugin, objects);
    }
    return objects;
  }

  /** What it finds is shown with the plugin; a failure is logged. What runs in this process is as dependable as the records. */
  async onReady(plugin: Plugin, { link }: Generation): Promise<void> {
    if (plugin.record.placement === 'in-process') return;
    try {
      const comparison = await withDeadline(compareMs, ({ signal }) => this.#compare(plugin, link, signal));
      // Another one may serve by now.
      if (plugin.current?.link === link) this.of(plugin).compared(comparison);
    } catch (error) {
      this.#parts.options.log.warn({ plugin: plugin.name, error: messageOf(error) }, 'could not be compared with the records');
    }
  }

  async collect(
    plugin: Plugin,
    { all = false, dryRun = false, signal }: { readonly all?: boolean; readonly dryRun?: boolean } & Abortable = {},
  ): Promise<CollectedOrphans> {
    const { link } = await plugin.serving(signal);
    const objects = this.of(plugin);
    objects.compared(await withDeadline(compareMs, (deadline) => this.#compare(plugin, link, deadline.signal), { signal }));
    const deleted: PluginOrphan[] = [];
    const kept: (PluginOrphan & { readonly reason: string })[] = [];
    for (const { state, since, orphan } of objects.orphans) {
      const reason = this.#tooYoung(state.ref, since, all) ?? (dryRun ? undefined : await this.#delete(plugin, state.ref, signal));
      if (reason === undefined) deleted.push(orphan);
      else kept.push({ ...orphan, reason });
    }
    return { deleted, kept };
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  /** One round after the other: a slow plugin is not asked while it still answers. */
  #schedule(): void {
    if (this.#isOver) return;
    this.#timer = setTimeout(() => void this.#again().finally(() => this.#schedule()), this.#parts.policy.compareMs);
    this.#timer.unref();
  }

  #compare(plugin: Plugin, link: Generation['link'], signal: AbortSignal): Promise<Comparison> {
    const { options, registry } = this.#parts;
    return compare(options.database, registry.served(plugin), link, signal);
  }

  #tooYoung({ kind }: Ref, since: number, all: boolean): string | undefined {
    const { orphanGraceMs } = this.#parts.policy;
    const least = all ? (settlingMs[kind] ?? 0) : orphanGraceMs;
    const left = since + least - Date.now();
    return left <= 0 ? undefined : `it was first seen a short while ago: it is kept for ${Math.ceil(left / 60_000)} more minutes`;
  }

  /** Why it could not be. */
  async #delete(plugin: Plugin, ref: Ref, signal: AbortSignal | undefined): Promise<string | undefined> {
    try {
      await this.#parts.remove(ref, { signal });
    } catch (error) {
      return messageOf(error);
    }
    this.of(plugin).forget(ref);
    plugin.output.say(`deleted ${ref.kind} ${ref.id} of ${ref.contract} driver ${ref.driver}, which nobody knew of`);
    return undefined;
  }

  async #again(): Promise<void> {
    for (const plugin of this.#parts.registry.all()) {
      const generation = plugin.current;
      if (generation === undefined || plugin.record.placement === 'in-process') continue;
      await this.onReady(plugin, generation);
      if (plugin.record.collectsOrphans !== true) continue;
      await this.collect(plugin).catch((error: unknown) =>
        this.#parts.options.log.warn({ plugin: plugin.name, error: messageOf(error) }, 'could not delete orphans'),
      );
    }
  }
}
