import type { Client } from '@gantry/sdk/client';
import type { PluginInfo } from '@gantry/sdk/engine';
import { conflict, GantryError, invalidArgument } from '@gantry/sdk/errors';
import type { Context } from '../../../context.ts';
import { describe } from '../../../report.ts';
import { readManifest } from '../manifest-file.ts';
import { areGranted } from '../privileges.ts';

export interface Bench {
  readonly folder: string;
  readonly alias: string | undefined;
  readonly grantAll: boolean;
}

/** One plugin under work: what is in its folder becomes a new generation, and while that fails the old one goes on. */
export class Workbench {
  readonly #context: Context;
  readonly #plugins: Client['plugins'];
  readonly #bench: Bench;
  #name = '';

  constructor(context: Context, plugins: Client['plugins'], bench: Bench) {
    this.#context = context;
    this.#plugins = plugins;
    this.#bench = bench;
  }

  get name(): string {
    return this.#name;
  }

  get #source(): string {
    return `folder:${this.#bench.folder}`;
  }

  /** Installs it, or takes on what an earlier time has left. False when its privileges were not granted. */
  async open(): Promise<boolean> {
    const { alias, folder, grantAll } = this.#bench;
    this.#name = alias ?? (await readManifest(folder)).name;
    const before = await this.#known();
    if (before !== undefined && before.source !== this.#source) {
      throw conflict(`plugin ${this.#name} is installed from ${before.source}`, {
        hint: `give this one another name: --alias ${this.#name}-dev`,
      });
    }
    const { privileges: grant, change } = await this.#plugins.offer(this.#source, { upgradeOf: before?.name });
    if (!(await areGranted(this.#context, this.#name, { asked: change?.added ?? grant, grantAll }))) return false;
    if (before === undefined) {
      await this.#plugins.install({ source: this.#source, grant, enable: false, ...(alias === undefined ? {} : { alias }) });
    }
    await this.#attempt(async () =>
      before === undefined ? undefined : await this.#plugins.upgrade(this.#name, { source: this.#source, grant }),
    );
    return true;
  }

  /** After a change in the folder. Failures are told, not thrown. */
  async renew(): Promise<void> {
    await this.#attempt(async () => {
      const { name } = await readManifest(this.#bench.folder);
      if (this.#bench.alias === undefined && name !== this.#name) {
        throw invalidArgument(`the manifest's name is now ${name}`, { hint: `end this and start anew, or name it ${this.#name} again` });
      }
      const { privileges: grant, change } = await this.#plugins.offer(this.#source, { upgradeOf: this.#name });
      for (const { name: what, value } of change?.added ?? grant) {
        this.#context.note(`dev: it now asks for ${what} [${value.join(' ')}], which your own folder is granted`);
      }
      await this.#plugins.upgrade(this.#name, { source: this.#source, grant });
    });
  }

  async #attempt(change: () => Promise<unknown>): Promise<void> {
    const startedAt = performance.now();
    try {
      await change();
      const { enabled, state } = await this.#plugins.inspect(this.#name);
      if (!enabled || (state !== 'ready' && state !== 'degraded')) await this.#plugins.enable(this.#name);
      const { generation = 0, version } = await this.#plugins.inspect(this.#name);
      this.#context.note(
        `dev: ${this.#name} ${version}, generation ${generation}: ready after ${Math.round(performance.now() - startedAt)} ms`,
      );
    } catch (error) {
      if (GantryError.is(error) && error.code === 'unavailable' && error.facts['address'] !== undefined) throw error;
      this.#context.note(describe(error, 'dev'));
      const now = await this.#known();
      const serves = now !== undefined && (now.state === 'ready' || now.state === 'degraded');
      this.#context.note(
        serves
          ? `dev: generation ${now.generation ?? 0} goes on; waiting for the next change`
          : 'dev: nothing runs; waiting for the next change',
      );
    }
  }

  async #known(): Promise<PluginInfo | undefined> {
    return (await this.#plugins.list()).find(({ name }) => name === this.#name);
  }
}
