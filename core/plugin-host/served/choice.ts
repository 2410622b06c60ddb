import { type DriverKind, type Logger, unavailable } from '@gantry/sdk';

/** A driver that would come first and does not work on this host. */
export interface Skipped {
  readonly driver: string;
  readonly reason: string;
}

interface Parts {
  /** Those that may be taken, the best first. */
  readonly candidates: (kind: DriverKind) => Iterable<string>;
  /** Tries one for real; undefined: it works. */
  readonly whyNot: (kind: DriverKind, name: string) => Promise<string | undefined>;
  readonly log: Logger;
}

/** Which driver of a kind is taken where nobody names one: tried once, and why others were not is remembered for whoever wonders. */
export class Choice {
  readonly #parts: Parts;
  readonly #preferred = new Map<DriverKind, Promise<string>>();
  readonly #usable = new Map<string, Promise<string>>();
  readonly #skipped = new Map<DriverKind, readonly Skipped[]>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The first that works; `unavailable` says why each does not. */
  preferred(kind: DriverKind): Promise<string> {
    return remembered(this.#preferred, kind, () => this.#choose(kind));
  }

  /** The name itself when the driver works here; `unavailable` says why not. */
  usable(kind: DriverKind, name: string): Promise<string> {
    return remembered(this.#usable, `${kind}/${name}`, async () => {
      const reason = await this.#parts.whyNot(kind, name);
      if (reason === undefined) return name;
      throw unavailable(`${kind} driver ${name} does not work here: ${reason}`);
    });
  }

  /** Those that were tried before the one that was taken. */
  skipped(kind: DriverKind): readonly Skipped[] {
    return this.#skipped.get(kind) ?? [];
  }

  /** Something changed: who asks next has them tried again. */
  forget(): void {
    this.#preferred.clear();
    this.#usable.clear();
    this.#skipped.clear();
  }

  async #choose(kind: DriverKind): Promise<string> {
    const { candidates, whyNot, log } = this.#parts;
    const skipped: Skipped[] = [];
    for (const driver of candidates(kind)) {
      const reason = await whyNot(kind, driver);
      if (reason === undefined) {
        this.#skipped.set(kind, skipped);
        log.info({ kind, driver, skipped: skipped.map((other) => other.driver) }, 'driver chosen');
        return driver;
      }
      skipped.push({ driver, reason });
      log.info({ kind, driver, reason }, 'driver skipped');
    }
    const reasons = skipped.map(({ driver, reason }) => `${driver}: ${reason}`).join('; ');
    throw unavailable(`no ${kind} driver works on this host (${reasons || 'none is installed'})`);
  }
}

/** A failure is not: what was missing may be there next time. */
function remembered<Key>(answers: Map<Key, Promise<string>>, key: Key, ask: () => Promise<string>): Promise<string> {
  const known = answers.get(key);
  if (known !== undefined) return known;
  const asked = ask();
  answers.set(key, asked);
  asked.catch(() => answers.delete(key));
  return asked;
}
