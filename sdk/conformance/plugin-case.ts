import type { DriverKind } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import type { ConformancePlacement, OpenedPlugin, OpenOptions } from './opened-plugin.ts';
import type { Probe } from './probes.ts';

/** A plugin as a whole under test, by the smallest use of one of its drivers. */
export interface PluginUnderTest {
  readonly dir: string;
  readonly plugin: OpenedPlugin;
  readonly openedInMs: number;
  readonly placement: ConformancePlacement;
  readonly kind: DriverKind;
  readonly driver: string;
  readonly probe: Probe | undefined;
  /** The smallest use again, of the drivers that are there after a restart. */
  readonly probeAgain: () => Probe | undefined;
  /** The smallest use of the same driver of another generation. */
  readonly probeOf: (opened: Pick<OpenedPlugin, 'drivers'>) => Probe | undefined;
  /** The same plugin once more, elsewhere, over state and folder of its own. */
  readonly openIn: OpenIn;
  readonly ctx: (signal?: AbortSignal) => Ctx;
}
export type OpenIn = (placement: ConformancePlacement, options?: Pick<OpenOptions, 'trace'>) => Promise<OpenedPlugin>;
export interface PluginCase {
  readonly name: string;
  /** Why the case makes no sense here; undefined: run it. */
  readonly skip: (subject: PluginUnderTest) => string | undefined;
  /** Answers the same, where only trying shows it. */
  readonly run: (subject: PluginUnderTest) => Promise<string | void>;
}
export type Runs<Subject = PluginUnderTest> = Readonly<Record<string, (subject: Subject) => Promise<string | void>>>;

/** What narrows a subject to what some cases need; or why they make no sense here. */
export type Narrow<Subject> = (subject: PluginUnderTest) => Subject | string;

/** Cases whose subject has what they need. */
export function casesOf<Subject extends object>(runs: Runs<Subject>, narrow: Narrow<Subject>): readonly PluginCase[] {
  return Object.entries(runs).map(([name, run]) => ({
    name,
    skip: (subject) => {
      const narrowed = narrow(subject);
      return typeof narrowed === 'string' ? narrowed : undefined;
    },
    run: async (subject) => {
      const narrowed = narrow(subject);
      return typeof narrowed === 'string' ? narrowed : await run(narrowed);
    },
  }));
}

export type WithProbe = PluginUnderTest & { readonly probe: Probe };

/** For drivers of kinds that have a smallest use. */
export function withProbe(subject: PluginUnderTest): WithProbe | string {
  const { probe, kind } = subject;
  return probe === undefined ? `no probe for drivers of kind ${kind}` : { ...subject, probe };
}
