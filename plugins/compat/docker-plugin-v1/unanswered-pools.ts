import { randomUUID } from 'node:crypto';
import { type Ctx, GantryError, messageOf, type StateStore } from '@gantry/sdk';
import { type Answer, textOf } from './answer.ts';
import type { Connection } from './connection.ts';

/** What was asked of `IpamDriver.RequestPool`. */
interface Question {
  readonly body: Answer;
  /** Which process asked: its own are under way, those of others were never answered. */
  readonly asker: string;
}

const asker = randomUUID();
const undoMs = 5_000;

export interface UnansweredPoolsOptions {
  readonly plugin: Connection;
  readonly state: StateStore;
  /** Of keys in the state. */
  readonly prefix: string;
  /** Whether some request has this pool. */
  readonly isKept: (poolId: string) => Promise<boolean>;
}
/** To be written together with what is kept of the answer. */
interface Answered {
  readonly key: string;
  readonly value: undefined;
}

/**
 * Pools that a plugin was asked for and whose answer nobody kept, since the engine died in between or the plugin did not answer in time. Docker's protocol has no request ids, so
 * a pool whose id is not known can be found in one way only: by asking for the same prefix again, which most plugins answer with the same pool.
 */
export class UnansweredPools {
  readonly #given: UnansweredPoolsOptions;
  #settled: Promise<void> | undefined;

  constructor(given: UnansweredPoolsOptions) {
    this.#given = given;
  }

  /** Asks, and notes before that it does. */
  async ask(key: string, body: Answer, signal: AbortSignal): Promise<{ readonly answer: Answer; readonly answered: Answered }> {
    const { plugin, state, prefix } = this.#given;
    const answered = { key: `${prefix}${key}`, value: undefined };
    await state.put([{ key: answered.key, value: JSON.stringify({ body, asker } satisfies Question) }]);
    try {
      return { answer: await plugin.call('IpamDriver.RequestPool', body, signal), answered };
    } catch (error) {
      if (GantryError.is(error) && error.reason === 'PLUGIN_REFUSED') await state.put([answered]);
      throw error;
    }
  }

  /** Before the first question of this process: gives back what earlier ones asked for. What fails is logged; a plugin that is not there is asked at the next call. */
  settle(ctx: Ctx): Promise<void> {
    this.#settled ??= this.#settle(ctx).catch((error: unknown) => {
      this.#settled = undefined;
      throw error;
    });
    return this.#settled;
  }

  async #settle({ log }: Ctx): Promise<void> {
    const { plugin, state, prefix } = this.#given;
    for (const { key, value } of await state.list(prefix)) {
      const question = JSON.parse(value) as Question;
      if (question.asker === asker) continue;
      const lost = await this.#giveBack(question.body);
      if (lost !== undefined)
        log.warn({ plugin: plugin.name, reason: lost }, 'a pool may be left in the books of an IPAM plugin, which alone can give it back');
      await state.put([{ key, value: undefined }]);
    }
  }

  /** Answers why the pool cannot be given back, if it was given away. */
  async #giveBack(body: Answer): Promise<string | undefined> {
    if (textOf(body, 'Pool') === '') return 'it was asked to choose one, and its answer was lost with an earlier engine';
    const { plugin, isKept } = this.#given;
    try {
      const poolId = textOf(await plugin.call('IpamDriver.RequestPool', body, AbortSignal.timeout(undoMs)), 'PoolID');
      if (!(await isKept(poolId))) await plugin.call('IpamDriver.ReleasePool', { PoolID: poolId }, AbortSignal.timeout(undoMs));
      return undefined;
    } catch (error) {
      if (!GantryError.is(error) || error.reason !== 'PLUGIN_REFUSED') throw error;
      return `its answer to a request for ${textOf(body, 'Pool')} was lost with an earlier engine; ${messageOf(error)}`;
    }
  }
}
