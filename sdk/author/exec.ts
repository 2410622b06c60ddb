import { type DescribeRequest, type DescribingExecDriver, type ExecDriver, isDescribing, type ProcessSpec } from '../exec/contract.ts';
import { invalidArgument } from '../errors.ts';
import { definePlugin, type PluginModule } from '../plugin.ts';
import { type About, manifestOf } from './manifest.ts';
import type { NoProperties, Properties, PropertiesOf } from './schema.ts';
import { Toolbox, type Tools } from './tools.ts';

interface AboutExec<S extends Properties> extends Omit<About<NoProperties, S>, 'options'> {
  readonly features?: readonly string[];
}
/** A driver that runs processes itself. */
export interface RunningExecAuthor<S extends Properties> extends AboutExec<S> {
  /** The driver, once per start of the plugin. */
  open(tools: Tools<PropertiesOf<S>>): ExecDriver | Promise<ExecDriver>;
  /** Ends what `open` began. Containers live on. */
  close?(driver: ExecDriver): Promise<void> | void;
}
/** A driver that says how a container is to be run; the engine runs it, so that it lives on without the plugin. */
export interface DescribingExecAuthor<S extends Properties> extends AboutExec<S> {
  /** Asked at each start of a container whose user chose this runtime by the driver's name. */
  describe(container: DescribedContainer, tools: Tools<PropertiesOf<S>>): Description | Promise<Description>;
  /** Containers that it cannot run are refused before they are described. */
  accepts?(container: DescribedContainer): boolean;
}
export type ExecAuthor<S extends Properties> = RunningExecAuthor<S> | DescribingExecAuthor<S>;

export interface DescribedContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The OCI runtime spec's config.json that the engine made. */
  readonly spec: ContainerSpec;
  /** Where a described program finds the container's files. */
  readonly rootfs: string;
}
/** What of config.json is always there. */
export interface ContainerSpec {
  readonly [field: string]: unknown;
  readonly process: {
    readonly [field: string]: unknown;
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
  };
}
/** An OCI runtime, word by word as in `privileges.runtimes`; or a program of the host, in a sandbox like the container's. */
export type Description =
  | { readonly runtime: string; readonly arguments?: readonly string[] }
  | {
      readonly argv: readonly string[];
      /** The container's unless given. */
      readonly env?: readonly string[];
      readonly cwd?: string;
      /** What else of the host it sees, read-only; covered by `privileges.hostPaths`. */
      readonly hostPaths?: readonly string[];
    };

/**
 * A plugin with one exec driver. With `describe` it is a few lines, and its containers need no plugin once they run. With `open` the author
 * writes the whole driver; the manifest, the settings and the self-test come from here either way.
 */
export function exec<const S extends Properties = NoProperties>(author: ExecAuthor<S>): PluginModule {
  const describes = 'describe' in author;
  return definePlugin({
    manifest: {
      ...manifestOf('exec', author, [...(author.features ?? []), ...(describes ? ['describe'] : [])]),
      // Processes of a driver that runs them itself would end with a process of its own.
      ...(describes ? {} : { placement: ['in-process'] as const }),
      ...author.manifest,
    },
    async activate(host) {
      const toolbox = new Toolbox(host, author.settings);
      const driver = describes ? describing(author, toolbox) : await author.open(toolbox.for({ signal: host.signal, log: host.log }));
      return {
        drivers: { exec: { [author.name]: driver } },
        ...(describes ? { configure: async (config, secrets) => toolbox.configure(config, secrets) } : {}),
        selfTest: async () => [toolbox.check()],
        deactivate: async () => {
          if (!describes && !isDescribing(driver)) await author.close?.(driver);
        },
      };
    },
  });
}

export interface OciRuntimeAuthor extends Omit<AboutExec<NoProperties>, 'settings' | 'features'> {
  /** A name that the engine looks for in the system's folders, or an absolute path. */
  readonly binary: string;
  /** What comes before every command. */
  readonly flags?: readonly string[];
}

/** A plugin of any program with the command line of OCI runtimes; `docker run --runtime NAME` uses it. */
export function ociRuntime({ binary, flags = [], privileges, ...about }: OciRuntimeAuthor): PluginModule {
  return exec({
    description: `Runs containers with ${binary}.`,
    ...about,
    privileges: { ...privileges, runtimes: [[binary, ...flags].join(' ')] },
    describe: () => ({ runtime: binary, arguments: flags }),
  });
}

function describing<S extends Properties>(author: DescribingExecAuthor<S>, toolbox: Toolbox<S>): DescribingExecDriver {
  return {
    async describe({ id, containerName: name, labels, spec }: DescribeRequest, ctx) {
      const container: DescribedContainer = { id, name, labels, spec: spec as ContainerSpec, rootfs: '/rootfs' };
      if (author.accepts?.(container) === false)
        throw invalidArgument(`runtime ${author.name} cannot run container ${name}`, { reason: 'NOT_ACCEPTED' });
      return { run: processOf(await author.describe(container, toolbox.for(ctx)), container) };
    },
  };
}

function processOf(described: Description, { spec }: DescribedContainer): ProcessSpec {
  if ('runtime' in described) return { kind: 'runtime', program: described.runtime, arguments: described.arguments ?? [] };
  return { kind: 'program', env: spec.process.env, ...described };
}
