import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { firstCause, invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import { type DriverKind, driverKinds } from '../plugin.ts';
import { matches } from './chaos/index.ts';
import { type Case, casesFor, casesOfChaos, type Facts, type World } from './cases.ts';
import { whySkipped } from './skipped.ts';
import { type ConformancePlacement, type OpenPlugin, openPlugin } from './opened-plugin.ts';
import type { OpenIn } from './plugin-case.ts';
import { manifestIn } from '../serve/load.ts';

export interface ConformanceOptions {
  /** Patterns of case names, as "volume.*"; everything unless given. */
  readonly only?: readonly string[];
  /** "volume/nfs"; all that the manifest names unless given. */
  readonly drivers?: readonly string[];
  /** Unless given, in-process, and process for a program of its own (entry.exec), which can run nowhere else. */
  readonly placements?: readonly ConformancePlacement[];
  /** The cases "chaos.*" too, with a proxy between that lets calls meet with faults; for placement process, which is then the default. */
  readonly chaos?: boolean;
  readonly open?: OpenPlugin;
  readonly world?: World;
  /** What the manifest does not say, by kind, over what the file conformance.json of the plugin's folder says. */
  readonly facts?: { readonly [Kind in DriverKind]?: Facts };
  readonly settings?: Readonly<Record<string, unknown>>;
  /** For the plugins' folders. */
  readonly root?: string;
}
export interface Outcome {
  readonly placement: ConformancePlacement;
  /** "volume/nfs" */
  readonly driver: string;
  /** "volume.create.ok" */
  readonly id: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly durationMs: number;
  /** Why it was skipped. */
  readonly reason?: string;
  readonly error?: Error;
}
/** A case of one driver in one placement, ready to run. */
export interface PlannedCase extends Pick<Outcome, 'placement' | 'driver' | 'id'> {
  /** Rejects when it fails; answers why it was skipped, if it was. */
  readonly run: () => Promise<string | undefined>;
}

/**
 * Every case for every driver of the plugin in a folder. Nothing of the plugin runs before a case does. Refuses with `invalid_argument` a
 * placement that its entry cannot have.
 */
export function planConformance(dir: string, options: ConformanceOptions = {}): readonly PlannedCase[] {
  const { only = [], chaos = false } = options;
  const manifest = manifestIn(dir);
  const placements = placementsFor(manifest, options.placements ?? (chaos ? ['process'] : undefined));
  const drivers = manifest.provides.flatMap(({ contract, drivers: names }) =>
    names
      .filter((name) => name !== '*' && (options.drivers?.includes(`${contract}/${name}`) ?? true))
      .map((name) => ({ kind: contract, name })),
  );
  return placements.flatMap((placement) =>
    drivers.flatMap(({ kind, name }) =>
      [...casesFor(kind), ...(chaos ? casesOfChaos : [])]
        .filter(({ id }) => only.length === 0 || only.some((pattern) => matches(id, pattern)))
        .map((one) => ({
          placement,
          driver: `${kind}/${name}`,
          id: one.id,
          run: () => runCase(one, { dir, placement, kind, name, options }),
        })),
    ),
  );
}

function placementsFor({ name, entry }: Manifest, asked: ConformanceOptions['placements']): readonly ConformancePlacement[] {
  if (entry.node !== undefined) return asked ?? ['in-process'];
  if (entry.exec === undefined) throw invalidArgument(`plugin ${name}: manifest.entry has neither node nor exec`);
  const impossible = asked?.find((placement) => placement !== 'process');
  if (impossible === undefined) return asked ?? ['process'];
  throw invalidArgument(`plugin ${name} cannot run in placement ${impossible}: it is a program of its own (entry.exec ${entry.exec[0]})`, {
    hint: 'leave --placement out, or say process; only a Node module (entry.node) runs in the process or a worker of its tester',
  });
}

/** Runs them one after another, telling each outcome as it comes. */
export async function* runConformance(cases: readonly PlannedCase[]): AsyncGenerator<Outcome> {
  for (const { run, ...about } of cases) {
    const began = performance.now();
    const told = (facts: Pick<Outcome, 'status' | 'reason' | 'error'>): Outcome => ({
      ...about,
      durationMs: performance.now() - began,
      ...facts,
    });
    try {
      const reason = await run();
      yield told(reason === undefined ? { status: 'passed' } : { status: 'skipped', reason });
    } catch (error) {
      const reason = whySkipped(error);
      if (reason !== undefined) yield told({ status: 'skipped', reason });
      else yield told({ status: 'failed', error: asError(firstCause(error)) });
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

interface Where {
  readonly dir: string;
  readonly placement: ConformancePlacement;
  readonly kind: DriverKind;
  readonly name: string;
  readonly options: ConformanceOptions;
}

async function runCase({ run }: Case, { dir, placement, kind, name, options }: Where): Promise<string | undefined> {
  const { open = openPlugin, world = {}, root, chaos = false } = options;
  const written = readFacts(dir);
  const settings = { ...written.settings, ...options.settings };
  const openIn: OpenIn = (where, more = {}) =>
    open(dir, { placement: where, settings, chaos: chaos && where === 'process', ...(root === undefined ? {} : { root }), ...more });
  const began = performance.now();
  await using plugin = await openIn(placement);
  const openedInMs = performance.now() - began;
  const facts = { ...written[kind], ...options.facts?.[kind] };
  // Awaited here: the plugin ends when this function does.
  return await run({ dir, plugin, openedInMs, placement, openIn, kind, driver: name, world, facts });
}

type Written = { readonly [Kind in DriverKind]?: Facts } & { readonly settings?: Readonly<Record<string, unknown>> };

function readFacts(dir: string): Written {
  let text: string;
  try {
    text = readFileSync(join(dir, 'conformance.json'), 'utf8');
  } catch {
    return {};
  }
  const written = JSON.parse(text) as Written;
  const unknown = Object.keys(written).find((key) => key !== 'settings' && key !== '$schema' && !driverKinds.some((kind) => kind === key));
  if (unknown !== undefined) throw new Error(`conformance.json: ${unknown} is neither "settings" nor a kind of driver`);
  return written;
}
