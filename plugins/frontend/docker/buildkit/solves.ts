import { notFound } from '@gantry/sdk';
import { comesWithinMs, Solve, type SolveFacts } from './solve.ts';

/** How long a build that is over is known. */
const keptMs = 30_000;

/** The builds of clients that are known, by the names that the clients gave them. */
export class Solves implements Disposable {
  readonly #facts: Omit<SolveFacts, 'ref'>;
  readonly #known = new Map<string, Solve>();

  constructor(facts: Omit<SolveFacts, 'ref'>) {
    this.#facts = facts;
  }

  find(ref: string): Solve | undefined {
    return this.#known.get(ref);
  }

  /** One that nobody named before is there from now on, for as long as the call that begins it may take: a build's calls come in any order. */
  of(ref: string): Solve {
    const known = this.#known.get(ref);
    if (known !== undefined) return known;
    const solve = new Solve({ ...this.#facts, ref });
    this.#known.set(ref, solve);
    setTimeout(() => this.#forgetUnlessBegun(ref, solve), comesWithinMs).unref();
    return solve;
  }

  /** Forgets one that is over, later: what belongs to it may still be on its way, and is to hear the same. */
  forget(ref: string): void {
    setTimeout(() => this.#known.delete(ref), keptMs).unref();
  }

  [Symbol.dispose](): void {
    for (const solve of this.#known.values()) solve.cancel();
  }

  #forgetUnlessBegun(ref: string, solve: Solve): void {
    if (solve.isBegun) return;
    this.#known.delete(ref);
    solve.cancel(notFound(`no build ${JSON.stringify(ref)}: its Control.Solve does not come`));
  }
}
