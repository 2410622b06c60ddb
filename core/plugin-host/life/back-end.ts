import { codeOf, GantryError } from '@gantry/sdk';

/** Whose own trouble a lost connection, an ending or a breaker is: the plugin's, not what is behind it. */
const notBehind: readonly (string | undefined)[] = ['CONNECTION_LOST', 'DRAINING', 'BREAKER_OPEN'];

/** Which calls of a plugin's drivers found what is behind them down, each until the next that did not. */
export class BackEnd {
  readonly #down = new Map<string, string>();
  readonly #onChange: (reasons: readonly string[]) => void;

  constructor(onChange: (reasons: readonly string[]) => void) {
    this.#onChange = onChange;
  }

  /** A driver's method answered, or refused, or threw. */
  heard(call: string, error?: unknown): void {
    if (GantryError.is(error) && error.code === 'unavailable' && !notBehind.includes(error.reason)) {
      this.#down.set(call, `${call}: ${error.message}`);
      this.#tell();
    } else if (saysSomething(error) && this.#down.delete(call)) this.#tell();
  }

  forget(): void {
    this.#down.clear();
  }

  #tell(): void {
    this.#onChange([...this.#down.values()]);
  }
}

/** Whoever gave up on a call learned nothing. */
function saysSomething(error: unknown): boolean {
  return error === undefined || !['unavailable', 'cancelled', 'deadline_exceeded'].includes(codeOf(error));
}
