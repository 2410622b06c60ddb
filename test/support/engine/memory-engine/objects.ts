import { conflict, forbidden, notFound } from '@gantry/sdk';
import type { NetworkInfo, Networks, VolumeInfo, Volumes } from '@gantry/sdk/engine';
import { newId, now } from './container.ts';

export class MemoryVolumes implements Volumes {
  readonly #all = new Map<string, VolumeInfo>();

  create: Volumes['create'] = async ({ name = newId(), driver = 'local', labels = null, options = null }) => {
    const known = this.#all.get(name);
    if (known !== undefined && known.driver !== driver) throw conflict(`create ${name}: conflict: volume name must be unique`);
    const volume: VolumeInfo = known ?? { name, driver, mountpoint: `/memory/${name}`, createdAt: now(), labels, options, scope: 'local' };
    this.#all.set(name, volume);
    return volume;
  };

  inspect: Volumes['inspect'] = async (name) => {
    const volume = this.#all.get(name);
    if (volume === undefined) throw notFound(`get ${name}: no such volume`);
    return volume;
  };

  list: Volumes['list'] = async () => ({ volumes: [...this.#all.values()], warnings: [] });

  remove: Volumes['remove'] = async (name, { force }) => {
    if (!this.#all.delete(name) && !force) throw notFound(`get ${name}: no such volume`);
  };

  prune: Volumes['prune'] = async ({ filters = {} }) => {
    const deleted = filters['all'] === undefined ? [] : [...this.#all.keys()];
    for (const name of deleted) this.#all.delete(name);
    return { deleted, spaceReclaimed: 0 };
  };

  rename: Volumes['rename'] = async (name, to) => {
    const volume = { ...(await this.inspect(name)), name: to };
    if (this.#all.has(to)) throw conflict(`rename ${to}: conflict: volume name must be unique`);
    this.#all.delete(name);
    this.#all.set(to, volume);
    return volume;
  };

  resize: Volumes['resize'] = async (name, bytes) => {
    const volume = await this.inspect(name);
    this.#all.set(name, { ...volume, options: { ...volume.options, size: String(bytes) } });
  };

  clone: Volumes['clone'] = async ({ from, name, options = {}, labels = null }) => {
    const source = await this.inspect(from);
    if (this.#all.has(name)) throw conflict(`clone ${name}: conflict: volume name must be unique`);
    this.#all.set(name, { ...source, name, options: { ...source.options, ...options }, labels });
    return this.inspect(name);
  };

  snapshot: Volumes['snapshot'] = async ({ from, name, labels = null }) => {
    const source = await this.inspect(from);
    if (this.#all.has(name)) throw conflict(`snapshot ${name}: conflict: volume name must be unique`);
    this.#all.set(name, { ...source, name, labels, snapshotOf: from });
    return this.inspect(name);
  };
}

export class MemoryNetworks implements Networks {
  readonly #all = new Map<string, NetworkInfo>();

  constructor() {
    for (const name of ['bridge', 'host', 'none']) this.#add(name, name === 'none' ? 'null' : name);
  }

  create: Networks['create'] = async ({ name, driver = 'bridge', ipam = {}, labels = {}, options = {} }) => {
    if ([...this.#all.values()].some((network) => network.name === name)) throw conflict(`network with name ${name} already exists`);
    const id = this.#add(name, driver);
    const network = this.inspect(id);
    this.#all.set(id, { ...network, ipam: { ...network.ipam, ...ipam }, labels, options });
    return { id, warning: '' };
  };

  inspect(text: string): NetworkInfo {
    const network = this.#all.get(text) ?? [...this.#all.values()].find(({ id, name }) => name === text || id.startsWith(text));
    if (network === undefined) throw notFound(`network ${text} not found`);
    return network;
  }

  list: Networks['list'] = ({ filters = {} }) =>
    [...this.#all.values()].filter(({ name }) => filters['name'] === undefined || filters['name'].some((part) => name.includes(part)));

  connect: Networks['connect'] = async (network) => void this.inspect(network);
  disconnect: Networks['disconnect'] = async (network) => void this.inspect(network);

  remove: Networks['remove'] = async (text) => {
    const { id, name } = this.inspect(text);
    if (['bridge', 'host', 'none'].includes(name)) throw forbidden(`${name} is a pre-defined network and cannot be removed`);
    this.#all.delete(id);
  };

  prune: Networks['prune'] = async () => {
    const deleted = [...this.#all.values()].map(({ name }) => name).filter((name) => !['bridge', 'host', 'none'].includes(name));
    for (const name of deleted) await this.remove(name);
    return { deleted };
  };

  #add(name: string, driver: string): string {
    const id = newId();
    this.#all.set(id, {
      id,
      name,
      created: now(),
      driver,
      scope: 'local',
      ipv4: true,
      ipv6: false,
      ipam: { Driver: 'default', Options: null, Config: [{ Subnet: '172.17.0.0/16', Gateway: '172.17.0.1' }] },
      internal: false,
      attachable: false,
      configOnly: false,
      configFrom: '',
      options: {},
      labels: {},
      containers: {},
    });
    return id;
  }
}
