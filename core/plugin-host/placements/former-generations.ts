import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endLeftOver } from '../../plugin-launch/index.ts';
import { shortId } from '../../support/index.ts';
import type { HostOptions } from '../options.ts';
import type { Plugin } from '../life/plugin.ts';
import { foldersOf } from './start.ts';

/**
 * Generations of an engine that was killed: they end by themselves, in their own time. None of them may still write to the plugin's data when a new
 * one begins to.
 */
export class FormerGenerations {
  readonly #options: HostOptions;
  readonly #ended = new WeakMap<Plugin, Promise<void>>();

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** Before the plugin's first start by this engine. A second call waits for the same end. */
  ended(plugin: Plugin): Promise<void> {
    let ending = this.#ended.get(plugin);
    if (ending === undefined) {
      ending = this.#end(plugin);
      this.#ended.set(plugin, ending);
      ending.catch(() => this.#ended.delete(plugin));
    }
    return ending;
  }

  /** Each has a folder for its sockets, which only its engine removes. */
  async #end({ record, output }: Plugin): Promise<void> {
    if (record.placement === 'in-process') return;
    const { runDir } = foldersOf(this.#options, record);
    for (const number of numbersIn(runDir)) {
      await endLeftOver({ instance: `${shortId(record.id)}.${number}`, cgroupParent: this.#options.cgroupParent ?? 'gantry-plugins' });
      rmSync(join(runDir, number), { recursive: true, force: true });
      output.say(`generation ${number} of an engine that was killed is gone`);
    }
  }
}

function numbersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d{1,9}$/.test(name));
  } catch {
    return [];
  }
}
