import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, GantryError, invalidArgument } from '@gantry/sdk';
import type { Ending, Link, OfferedDriver } from '../placements/link.ts';
import type { Version } from '../record.ts';

/** One start of one version of a plugin, configured and compared with what it promised. */
export class Generation {
  readonly number: number;
  readonly version: Version;
  readonly link: Link;
  readonly startedAt = new Date();
  readonly startedInMs: number;
  readonly #drivers: Map<string, object>;
  readonly #found = new Map<string, object>();

  private constructor(given: {
    readonly number: number;
    readonly version: Version;
    readonly link: Link;
    readonly startedInMs: number;
    readonly drivers: Map<string, object>;
  }) {
    this.number = given.number;
    this.version = given.version;
    this.link = given.link;
    this.startedInMs = given.startedInMs;
    this.#drivers = given.drivers;
  }

  /** Configures a link; a failure ends it. */
  static async over(
    link: Link,
    {
      number,
      version,
      settings,
      secrets,
      began,
    }: {
      readonly number: number;
      readonly version: Version;
      readonly settings: Readonly<Record<string, unknown>>;
      readonly secrets: Readonly<Record<string, string>>;
      readonly began: number;
    },
  ): Promise<Generation> {
    try {
      const { problems, drivers } = await Promise.race([link.configure(settings, secrets), diedMeanwhile(link.ended)]);
      const fatal = problems.filter((problem) => problem.fatal);
      if (fatal.length > 0) throw misconfigured(version.manifest.name, fatal.map(({ path, message }) => `${path}: ${message}`).join('; '));
      return new Generation({
        number,
        version,
        link,
        startedInMs: Math.round(performance.now() - began),
        drivers: asPromised(version, drivers),
      });
    } catch (error) {
      const reason = await reasonOf(error, link.ended);
      await link.kill('it could not be configured');
      throw reason;
    }
  }

  get ended(): Promise<Ending> {
    return this.link.ended;
  }

  /** The naive driver; one with an open name is asked for once. */
  async driver(contract: string, name: string): Promise<object | undefined> {
    const key = `${contract}/${name}`;
    const known = this.#drivers.get(key) ?? this.#found.get(key);
    if (known !== undefined || !isOpen(this.version, contract)) return known;
    const found = await this.link.find(contract, name);
    if (found !== undefined) this.#found.set(key, found);
    return found;
  }
}

export function misconfigured(name: string, what: string): Error {
  return invalidArgument(`plugin ${name} does not take its settings: ${what}`, {
    reason: 'MISCONFIGURED',
    hint: `change them with: gantry plugin set ${name} KEY=value`,
  });
}

const isOpen = ({ manifest }: Version, contract: string): boolean =>
  manifest.provides.some((provided) => provided.contract === contract && provided.drivers.includes('*'));

/** A plugin may offer no more and no less than its manifest says: privileges were granted to the manifest. */
function asPromised({ manifest }: Version, drivers: readonly OfferedDriver[]): Map<string, object> {
  const promised = new Set(manifest.provides.flatMap(({ contract, drivers: names }) => names.map((name) => `${contract}/${name}`)));
  const result = new Map<string, object>();
  for (const { contract, name, driver } of drivers) {
    const key = `${contract}/${name}`;
    if (!promised.has(key))
      throw conflict(`plugin ${manifest.name} offers ${contract} driver ${name}, which its manifest does not name`, {
        reason: 'MANIFEST_MISMATCH',
      });
    result.set(key, driver);
  }
  const missing = [...promised].find((key) => !result.has(key) && !key.endsWith('/*'));
  if (missing !== undefined)
    throw conflict(`plugin ${manifest.name} does not offer ${missing}, which its manifest names`, { reason: 'MANIFEST_MISMATCH' });
  return result;
}

/** A connection breaks because its process ended, which is seen a moment later and says more. */
async function reasonOf(seen: unknown, ended: Promise<Ending>): Promise<unknown> {
  if (!GantryError.is(seen) || seen.reason !== 'CONNECTION_LOST') return seen;
  const ending = await Promise.race([ended, sleep(1_000, undefined, { ref: false })]);
  return ending === undefined ? seen : endedMeanwhile(ending);
}

async function diedMeanwhile(ended: Promise<Ending>): Promise<never> {
  throw endedMeanwhile(await ended);
}

function endedMeanwhile({ reason }: Ending): Error {
  return conflict(`it ended while it was configured: ${reason}`, { reason: 'ENDED' });
}
