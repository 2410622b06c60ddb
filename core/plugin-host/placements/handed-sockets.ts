import { type Manifest, notFound } from '@gantry/sdk';
import type { Link } from './link.ts';
import type { Registry } from '../registry.ts';
import { withDefaults } from '../settings.ts';

/** A socket that speaks a protocol of its own, and where what it names is on this machine. */
export interface HandedSocket {
  readonly socket: string;
  readonly scopes: readonly { readonly inside: string; readonly host: string }[];
}

/**
 * Sockets of plugins that do not speak our contracts, for the plugin that makes drivers of them: one with a setting `sockets` and open names.
 * It gets them with its settings whenever these are given to it, and they are stored nowhere: a socket is there as long as its plugin runs.
 */
export class HandedSockets {
  readonly #registry: Registry;
  readonly #sockets = new Map<string, HandedSocket>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  async add(name: string, handed: HandedSocket): Promise<void> {
    this.#sockets.set(name, handed);
    await this.#tell();
  }

  /** Unless another start of the same plugin has put its own there. */
  async remove(name: string, { socket }: HandedSocket): Promise<void> {
    if (this.#sockets.get(name)?.socket !== socket) return;
    this.#sockets.delete(name);
    await this.#tell();
  }

  /** The driver that the adapter makes of it. */
  async driver(contract: string, name: string): Promise<object> {
    const { link } = await this.#adapter().serving();
    const driver = await link.find(contract, name);
    if (driver === undefined) throw notFound(`plugin ${name} does not implement ${contract} drivers`, { reason: 'MANIFEST_MISMATCH' });
    return driver;
  }

  /** The link of an adapter, which gets the sockets with its settings; others as they are. */
  over(link: Link, manifest: Manifest): Link {
    if (!isAdapter(manifest)) return link;
    const sockets = (given: unknown) => ({ ...(given as object | undefined), ...Object.fromEntries(this.#sockets) });
    return { ...link, configure: (settings, secrets) => link.configure({ ...settings, sockets: sockets(settings['sockets']) }, secrets) };
  }

  async #tell(): Promise<void> {
    const { record, current } = this.#adapter();
    await current?.link.configure(withDefaults(record.manifest, record.settings), record.secrets);
  }

  #adapter() {
    const found = this.#registry.all().find(({ record }) => isAdapter(record.manifest));
    if (found === undefined) throw notFound("there is no plugin that makes drivers of other engines' plugins");
    return found;
  }
}

function isAdapter({ settings, provides }: Manifest): boolean {
  const properties: unknown = settings?.['properties'];
  const hasSockets = typeof properties === 'object' && properties !== null && 'sockets' in properties;
  return hasSockets && provides.some(({ drivers }) => drivers.includes('*'));
}
