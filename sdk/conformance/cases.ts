import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ExecCase, execCases, type ExecUnderTest } from '../exec/conformance.ts';
import { describeCases } from '../exec/conformance-describe.ts';
import { type DescribingExecDriver, type ExecDriver, isDescribing } from '../exec/contract.ts';
import { graphCases, type LayerWork } from '../graph/conformance.ts';
import type { GraphDriver } from '../graph/contract.ts';
import { ipamCases } from '../ipam/conformance.ts';
import { type LogAbility, logCases } from '../log/conformance.ts';
import type { ContainerInfo } from '../log/contract.ts';
import { networkCases, type PlanHost } from '../network/conformance.ts';
import type { DriverKind, DriverKinds, Drivers } from '../plugin.ts';
import { capturedLog } from '../testing/index.ts';
import type { Attachment, Ctx } from '../types/index.ts';
import { volumeCases } from '../volume/conformance.ts';
import { chaosCases } from './chaos/cases.ts';
import type { ConformancePlacement, OpenedPlugin } from './opened-plugin.ts';
import type { OpenIn, PluginUnderTest } from './plugin-case.ts';
import { pluginCases } from './plugin-cases.ts';
import { probeOf } from './probes.ts';
import { sampleOptions, type SampleOptions } from './sample-options.ts';

/** What carries out descriptions, where there is something that can. */
export interface World {
  readonly mount?: (attachment: Attachment, plugin: OpenedPlugin) => Promise<AsyncDisposable & { readonly path: string }>;
  readonly planHost?: () => PlanHost & Disposable;
  /** The engine's work on layer tars, over a driver of the plugin. */
  readonly layers?: (plugin: OpenedPlugin, driver: () => GraphDriver) => LayerWork & AsyncDisposable;
  /** Why limits that mounts describe cannot be set below a folder. */
  readonly noProjectQuota?: (folder: string) => string | undefined;
  readonly exec?: () => Promise<ExecWorld>;
}
/** Where exec drivers are tried. */
export interface ExecWorld extends AsyncDisposable, Pick<ExecUnderTest, 'container' | 'exec' | 'hasKernel' | 'oneOf'> {
  /** Runs what the driver describes, as an engine does. */
  readonly monitored: (driver: DescribingExecDriver, plugin: OpenedPlugin) => ExecDriver;
}
/** What the manifest does not say. */
export interface Facts {
  readonly options?: Partial<SampleOptions>;
  /** Of a log driver. */
  readonly abilities?: readonly LogAbility[];
  /** Of an exec driver that does not take every container: a command of one that it takes. */
  readonly args?: readonly string[];
}
export interface CaseContext {
  readonly dir: string;
  readonly plugin: OpenedPlugin;
  readonly openedInMs: number;
  readonly placement: ConformancePlacement;
  readonly openIn: OpenIn;
  readonly kind: DriverKind;
  readonly driver: string;
  readonly world: World;
  readonly facts: Facts;
}
/** One named case of one contract. `run` answers why it was skipped, if it was. */
export interface Case {
  /** "volume.create.ok" */
  readonly id: string;
  readonly run: (context: CaseContext) => Promise<string | undefined>;
}

/** Every case for a driver of this kind, those of plugins first. */
export function casesFor(kind: DriverKind): readonly Case[] {
  return [...adapted('plugin', pluginCases, pluginSubject), ...(ofKind[kind]?.() ?? [])];
}

/** With a proxy between the kit and the plugin. */
export const casesOfChaos: readonly Case[] = adapted('chaos', chaosCases, pluginSubject);

const ofKind: { readonly [Kind in DriverKind]?: () => readonly Case[] } = {
  volume: () =>
    adapted('volume', volumeCases, ({ world: { mount }, ...context }) => ({
      ...subjectOf('volume', context),
      options: optionsOf(context),
      ...(mount && { mount: (attachment: Attachment) => mount(attachment, context.plugin) }),
    })),
  graph: () =>
    graphCases.map(({ name, skip, run }) => ({
      id: `graph.${name}`,
      run: async (context) => {
        const { plugin, world } = context;
        const { dataDir, pid } = plugin;
        const { mount } = world;
        const subject = subjectOf('graph', context);
        const why = world.noProjectQuota?.(dataDir);
        await using layers = world.layers?.(plugin, () => subjectOf('graph', context).driver);
        const whole = {
          ...subject,
          dataDir,
          ...(mount && { mount: (attachment: Attachment) => mount(attachment, plugin) }),
          ...(layers && { layers }),
          ...(why !== undefined && { noProjectQuota: why }),
          ...(pid !== process.pid && { kill: () => void process.kill(plugin.pid, 'SIGKILL') }),
        };
        return skip(whole) ?? (await run(whole)) ?? undefined;
      },
    })),
  network: () =>
    networkCases.map(({ name, skip, run }) => ({
      id: `network.${name}`,
      run: async (context) => {
        using host = context.world.planHost?.();
        const { base } = optionsOf(context);
        const hostLinks = context.plugin.manifest.privileges?.network === 'host';
        const given = { options: base, badOption: { 'no-such-option': '1' }, hostLinks };
        const subject = { ...subjectOf('network', context), ...given, ...(host && { host }) };
        const reason = skip(subject);
        if (reason === undefined) await run(subject);
        return reason;
      },
    })),
  exec: () => [
    ...adapted('exec', describeCases, (context) => {
      const { driver, ctx } = subjectOf('exec', context);
      const { privileges = {} } = context.plugin.manifest;
      return { ctx, privileges, args: context.facts.args ?? ['/bin/sh', '-c', 'true'], ...(isDescribing(driver) && { driver }) };
    }),
    ...execCases.map((one) => ({ id: `exec.${one.name}`, run: (context: CaseContext) => runExecCase(one, context) })),
  ],
  ipam: () =>
    ipamCases.map(({ name, run }) => ({
      id: `ipam.${name}`,
      run: async (context) => run(subjectOf('ipam', context)).then(() => undefined),
    })),
  log: () =>
    logCases.map(({ name, needs, run }) => ({
      id: `log.${name}`,
      run: async (context) => {
        const abilities = new Set(context.facts.abilities ?? abilitiesOf(context));
        const lacking = needs.find((need) => !abilities.has(need));
        if (lacking !== undefined) return `the driver has no ${lacking}`;
        const subject = subjectOf('log', context);
        await run({ ...subject, abilities, options: optionsOf(context).base, container: (info) => container(context.plugin, info) });
        return undefined;
      },
    })),
};

async function runExecCase({ skip, run }: ExecCase, context: CaseContext): Promise<string | undefined> {
  const { plugin, driver: name, world } = context;
  const of = subjectOf('exec', context);
  if (isDescribing(of.driver) && context.facts.args !== undefined) return 'its containers are no shell scripts';
  await using place = await world.exec?.();
  if (place === undefined) return 'nothing here runs containers';
  const whole = (driver: DriverKinds['exec']): ExecDriver => (isDescribing(driver) ? place.monitored(driver, plugin) : driver);
  const subject: ExecUnderTest = {
    ctx: of.ctx,
    driver: whole(of.driver),
    restart: async (meanwhile) => whole(driverOf('exec', await plugin.restart(meanwhile), name)),
    container: place.container,
    exec: place.exec,
    hasKernel: place.hasKernel,
    oneOf: place.oneOf ?? 1,
    isDescribed: isDescribing(of.driver),
  };
  return skip(subject) ?? ((await run(subject)) || undefined);
}

interface NamedCase<Subject> {
  readonly name: string;
  readonly skip: (subject: Subject) => string | undefined;
  readonly run: (subject: Subject) => Promise<string | void>;
}

function adapted<Subject>(
  prefix: string,
  cases: readonly NamedCase<Subject>[],
  subjectFor: (context: CaseContext) => Subject,
): readonly Case[] {
  return cases.map(({ name, skip, run }) => ({
    id: `${prefix}.${name}`,
    run: async (context) => {
      const subject = subjectFor(context);
      return skip(subject) ?? ((await run(subject)) || undefined);
    },
  }));
}

type Of = Pick<CaseContext, 'plugin' | 'kind' | 'driver' | 'facts'>;

function subjectOf<Kind extends DriverKind>(kind: Kind, { plugin, driver }: Pick<Of, 'plugin' | 'driver'>) {
  return {
    driver: driverOf(kind, plugin.drivers, driver),
    ctx: contextOf(),
    restart: async () => driverOf(kind, await plugin.restart(), driver),
  };
}

function driverOf<Kind extends DriverKind>(kind: Kind, drivers: Drivers, name: string): DriverKinds[Kind] {
  const byName: Readonly<Record<string, DriverKinds[Kind]>> = drivers[kind] ?? {};
  const driver = byName[name];
  if (driver === undefined) throw new Error(`the plugin has no ${kind} driver ${name}`);
  return driver;
}

function pluginSubject(context: CaseContext): PluginUnderTest {
  const { plugin, kind, driver } = context;
  const { base } = optionsOf(context);
  const probe = ({ drivers }: Pick<OpenedPlugin, 'drivers'>) => probeOf(kind, drivers[kind]?.[driver], base);
  return { ...context, probe: probe(plugin), probeAgain: () => probe(plugin), probeOf: probe, ctx: contextOf };
}

function optionsOf({ plugin, kind, facts }: Of): SampleOptions {
  return { ...sampleOptions(plugin.manifest.options?.[kind]), ...facts.options };
}

function abilitiesOf({ plugin, driver }: Of): readonly LogAbility[] {
  const found = driverOf('log', plugin.drivers, driver);
  return [
    ...(found.read === undefined ? [] : (['read', 'attributes'] as const)),
    ...(found.purge === undefined ? [] : (['purge'] as const)),
  ];
}

function contextOf(signal: AbortSignal = new AbortController().signal): Ctx {
  return { signal, log: capturedLog([]), operationId: 'conformance' };
}

let containers = 0;

function container({ dataDir }: OpenedPlugin, facts: Partial<ContainerInfo> = {}): ContainerInfo {
  containers += 1;
  const id = facts.id ?? containers.toString(16).padStart(64, '0');
  const dir = join(dataDir, '..', 'containers', id);
  mkdirSync(dir, { recursive: true });
  const image = { image: 'busybox', imageId: `sha256:${'1'.repeat(64)}` };
  return { id, name: 'conformance', ...image, command: ['true'], env: [], labels: {}, created: new Date(0), ...facts, dir };
}
