import { GantryError, messageOf } from '@gantry/sdk';

/** Anything shorter would be found in words that have nothing to do with it. */
const shortest = 4;
const shown = '***';

/**
 * Takes a plugin's secrets out of what others see of it: what it prints, and why it failed. It knows every value that the plugin was given
 * since the engine started, of several lines each. What a plugin encodes, it does not find.
 */
export class Discretion {
  readonly #known = new Set<string>();
  #needles: readonly string[] = [];

  know(secrets: readonly string[]): void {
    for (const line of secrets.flatMap((secret) => [secret, ...secret.split(/\r?\n/)]))
      if (line.trim().length >= shortest) this.#known.add(line);
    // The longest first: one secret may begin as another does.
    this.#needles = [...this.#known].toSorted((a, b) => b.length - a.length);
  }

  text(text: string): string {
    return this.#needles.reduce((hidden, needle) => hidden.replaceAll(needle, shown), text);
  }

  /** The same error when nothing of it is secret; else one without its cause, whose text would say it again. */
  error(error: unknown): unknown {
    const message = messageOf(error);
    const hidden = this.text(message);
    const hint = GantryError.is(error) ? error.hint : undefined;
    const hiddenHint = hint === undefined ? undefined : this.text(hint);
    if (hidden === message && hiddenHint === hint) return error;
    if (!GantryError.is(error)) return new Error(hidden);
    const { code, reason, facts } = error;
    return new GantryError(code, hidden, { hint: hiddenHint, reason, facts });
  }
}
