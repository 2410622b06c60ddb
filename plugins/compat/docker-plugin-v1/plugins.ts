import { type DriverKind, type DriverKinds, type HostContext, notFound } from '@gantry/sdk';
import { type DockerKind, dockerKinds, isDockerKind } from '@gantry/sdk/legacy/wire';
import { Connection } from './connection.ts';
import { locate, nameOf, namesIn } from './discover.ts';
import { makeDriver } from './drivers.ts';
import type { HandedOver, Settings } from './settings.ts';

type AnyDriver = DriverKinds[DockerKind];
interface Known {
  readonly connection: Connection;
  readonly where: string;
  readonly drivers: Map<DockerKind, Promise<AnyDriver>>;
  /** Of the start that the drivers were made for: another version of the plugin may have other capabilities. */
  identity: string | undefined;
}

/** How long a list of names waits for plugins that say what they are, and how long one that did not is not asked again. */
const namesMs = 500;
const silentMs = 10_000;

/** Docker's plugins on this machine. Nothing is remembered of what is not there: a plugin can be used as soon as its socket appears. */
export class DockerPlugins implements Disposable {
  readonly #host: HostContext;
  readonly #known = new Map<string, Known>();
  readonly #silent = new Map<string, number>();
  #settings: Settings;

  constructor(host: HostContext, settings: Settings) {
    this.#host = host;
    this.#settings = settings;
  }

  /** Drivers that are in use keep their address until their plugin is looked up again. */
  set settings(settings: Settings) {
    this.#settings = settings;
  }

  /** undefined at once for a name that nothing listens under, or that does not implement the kind; `unavailable` when it does not answer. */
  async find(kind: DriverKind, name: string): Promise<AnyDriver | undefined> {
    if (!isDockerKind(kind)) return undefined;
    const known = this.#lookUp(name);
    if (known === undefined || !(await known.connection.services()).has(dockerKinds[kind].service)) return undefined;
    return this.#driver(kind, known);
  }

  /** The names that `find` would answer; plugins that do not say at once what they are stay out. */
  async names(kind: DriverKind): Promise<readonly string[]> {
    if (!isDockerKind(kind)) return [];
    const asked = namesIn(this.#settings).map(async (name) => ((await this.#implements(name, dockerKinds[kind].service)) ? [name] : []));
    return (await Promise.all(asked)).flat();
  }

  [Symbol.dispose](): void {
    for (const { connection } of this.#known.values()) connection[Symbol.dispose]();
    this.#known.clear();
  }

  async #implements(name: string, service: string): Promise<boolean> {
    if ((this.#silent.get(name) ?? 0) > performance.now()) return false;
    try {
      const services = this.#lookUp(name)?.connection.services();
      if (services === undefined) return false;
      return await Promise.race([services.then((found) => found.has(service)), late()]);
    } catch (error) {
      this.#silent.set(name, performance.now() + silentMs);
      this.#host.log.debug({ plugin: name, error }, 'a Docker plugin does not say what it implements');
      return false;
    }
  }

  #lookUp(asked: string): Known | undefined {
    const name = nameOf(asked, this.#settings);
    const address = locate(name, this.#settings);
    const where = JSON.stringify(address);
    const known = this.#known.get(name);
    if (known?.where === where) return known;
    known?.connection[Symbol.dispose]();
    this.#known.delete(name);
    if (address === undefined) return undefined;
    const found: Known = { connection: new Connection(name, address), where, drivers: new Map(), identity: undefined };
    this.#known.set(name, found);
    return found;
  }

  #driver(kind: DockerKind, known: Known): Promise<AnyDriver> {
    const { connection, drivers } = known;
    if (known.identity !== connection.identity) drivers.clear();
    known.identity = connection.identity;
    let driver = drivers.get(kind);
    if (driver === undefined) {
      driver = makeDriver(kind, connection, { host: this.#host, loggingFolder: this.#settings.loggingFolder });
      drivers.set(kind, driver);
      driver.catch(() => drivers.delete(kind));
    }
    return driver;
  }
}

/** The driver of a plugin that listens at a socket which the caller knows; `not_found` when it does not implement the kind. */
export async function driversAt(
  { name, socket, scopes, loggingFolder }: HandedOver & { readonly name: string; readonly loggingFolder: string },
  kind: DockerKind,
  host: Pick<HostContext, 'state' | 'runDir'>,
): Promise<AnyDriver> {
  const connection = new Connection(name, { kind: 'unix', path: socket, scopes });
  if (!(await connection.services()).has(dockerKinds[kind].service))
    throw notFound(`plugin ${name} does not implement ${dockerKinds[kind].service}`);
  return makeDriver(kind, connection, { host, loggingFolder });
}

async function late(): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), namesMs).unref());
}
