import { conflict, invalidArgument, notFound } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import type { Activation, DriverKind, HostContext, PluginModule } from '../plugin.ts';
import { compareByList } from './compare-by-list.ts';
import { Dispatcher } from './dispatch.ts';
import type { ConfigureRequest, ConfigureResponse, DriverInfo, PluginService } from './generated-plugin.ts';
import { proofOf } from './proof.ts';
import { schema } from './schema.ts';
import { serveSession } from './session.ts';
import type { Handler, Wire } from './wire.ts';

export interface PluginServerOptions {
  readonly module: PluginModule;
  readonly manifest: Manifest;
  /** The secret of this start, from the environment. */
  readonly token: string;
  /** Calls to the engine may go this way from now on. */
  readonly onSession?: (wire: Wire) => void;
  readonly host: (config: HostContext['config'], secrets: HostContext['secrets']) => HostContext;
  /** An engine that did not start this process says where it is; each engine that comes later does so again. */
  readonly onSurroundings?: (surroundings: NonNullable<ConfigureRequest['surroundings']>) => Promise<void>;
}

/** One plugin module, served: its own service and its drivers' contracts. */
export class PluginServer {
  readonly #options: PluginServerOptions;
  readonly #dispatcher: Dispatcher;
  #activation: Activation | undefined;
  #host: HostContext | undefined;
  readonly #found = new Map<string, object>();

  constructor(options: PluginServerOptions) {
    this.#options = options;
    this.#dispatcher = new Dispatcher({
      find: (service, driver) => (service === 'plugin' ? this.#service : this.#driver(service, driver)),
      ctx: ({ signal, operationId }) => ({ signal, operationId, log: this.#host?.log.child({ operation: operationId }) }),
    });
  }

  get handler(): Handler {
    return this.#dispatcher;
  }

  /** The services to offer: the plugin's own, and one per contract of the manifest. */
  get services(): readonly string[] {
    return ['plugin', ...new Set(this.#options.manifest.provides.map(({ contract }) => contract as string))];
  }

  /** Lets what is under way end, then the plugin's own clean-up. */
  async stop(graceMs: number): Promise<void> {
    await this.#dispatcher.drain(graceMs);
    await this.#activation?.deactivate?.();
  }

  readonly #service: PluginService = {
    handshake: async ({ challenge, offers, bootstrap }) => {
      const { manifest, token } = this.#options;
      if (bootstrap !== 1) throw conflict(`bootstrap version ${bootstrap} is not known here, only 1`);
      return {
        name: manifest.name,
        version: manifest.version,
        sdk: 'typescript',
        contracts: manifest.provides.map(({ contract, versions }) => ({ contract, version: commonVersion(contract, versions, offers) })),
        proof: proofOf(token, challenge),
        maxConcurrency: manifest.concurrency ?? 0,
        stateVersion: manifest.state?.version ?? 0,
      };
    },
    configure: async ({ settings, secrets, surroundings }) => {
      if (surroundings !== undefined) await this.#options.onSurroundings?.(surroundings);
      return this.#configure((settings ?? {}) as HostContext['config'], secrets);
    },
    find: async ({ contract, driver }) => {
      const found = await this.#driver(contract, driver);
      if (found === undefined) throw notFound(`no ${contract} driver "${driver}"`, { reason: 'DRIVER_NOT_FOUND' });
      return infoOf(contract, driver, found);
    },
    names: async ({ contract }) => ({ names: (await this.#activation?.names?.(contract as DriverKind)) ?? [] }),
    reconcile: (refs, ctx) => this.#activation?.reconcile?.(refs) ?? compareByList(this.#activation?.drivers ?? {}, refs, ctx),
    selfTest: async ({ deep }) => ({ checks: (await this.#activation?.selfTest?.({ deep })) ?? [] }),
    drain: async ({ deadlineMs }) => ({ inFlight: await this.#dispatcher.drain(deadlineMs) }),
    resume: async () => this.#dispatcher.resume(),
    session: (frames) => serveSession(frames, this.#dispatcher, (wire) => this.#options.onSession?.(wire)),
    ping: async () => {},
  };

  async #configure(config: HostContext['config'], secrets: HostContext['secrets']): Promise<ConfigureResponse> {
    const running = this.#activation;
    if (running !== undefined) {
      if (running.configure === undefined) return { problems: [], drivers: this.#drivers(running), needsRestart: true };
      return { problems: await running.configure(config, secrets), drivers: this.#drivers(running), needsRestart: false };
    }
    this.#host = this.#options.host(config, secrets);
    this.#activation = await this.#options.module.activate(this.#host);
    return { problems: [], drivers: this.#drivers(this.#activation), needsRestart: false };
  }

  #drivers({ drivers }: Activation): readonly DriverInfo[] {
    return Object.entries(drivers).flatMap(([contract, byName]) =>
      Object.entries(byName as Readonly<Record<string, object>>).map(([name, driver]) => infoOf(contract, name, driver)),
    );
  }

  async #driver(contract: string, name: string): Promise<object | undefined> {
    const activation = this.#activation;
    if (activation === undefined) throw conflict('the plugin has no settings yet: Configure comes before any other call');
    const given = activation.drivers[contract as DriverKind]?.[name];
    if (given !== undefined) return given;
    const key = `${contract}/${name}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const found = await activation.find?.(contract as DriverKind, name);
    if (found !== undefined) this.#found.set(key, found);
    return found;
  }
}

function infoOf(contract: string, driver: string, object: object): DriverInfo {
  const service = schema.services[contract];
  if (service === undefined) throw invalidArgument(`a ${contract} driver cannot be served from another process`);
  const methods = Object.keys(service.methods).filter((name) => typeof Reflect.get(object, name) === 'function');
  const names = (service.properties === undefined ? undefined : schema.messages[service.properties])?.fields.map(({ name }) => name) ?? [];
  const properties = Object.fromEntries(names.map((name) => [name, Reflect.get(object, name)]));
  return { contract, driver, methods, properties };
}

function commonVersion(
  contract: string,
  ours: readonly string[],
  offers: readonly { readonly contract: string; readonly versions: readonly string[] }[],
): string {
  const theirs = offers.find((offer) => offer.contract === contract)?.versions ?? [];
  const common = ours.filter((version) => theirs.includes(version)).toSorted();
  const best = common.at(-1);
  if (best !== undefined) return best;
  throw conflict(
    `no common version of contract ${contract}: the plugin has ${ours.join(', ') || 'none'}, the engine ${theirs.join(', ') || 'none'}`,
    { reason: 'NO_COMMON_VERSION' },
  );
}
