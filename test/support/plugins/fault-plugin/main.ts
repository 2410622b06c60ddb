/**
 * A volume driver as a stranger writes one, from the contract up. It does well until told otherwise: `faults.json` in its data folder says what
 * to do in which method; settings say it of its start, since there is nothing to read earlier.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { definePlugin, type HostContext, notFound, type Ref } from '@gantry/sdk';
import type { Volume, VolumeDriver } from '@gantry/sdk/volume';
import { Faults } from './faults.ts';
import { FaultyIpam, FaultyLog, FaultyNetworks } from './other-kinds.ts';

const { driver: driverName, kinds = ['volume'] } = JSON.parse(readFileSync(join(import.meta.dirname, 'driver.json'), 'utf8')) as {
  readonly driver: string;
  readonly kinds?: readonly ('volume' | 'network' | 'ipam' | 'log')[];
};

export default definePlugin({
  async activate(host) {
    const { config } = host;
    if (config['fails'] === 'activate') throw new Error('the back end is not there');
    if (config['fails'] === 'exit') process.exit(3);
    if (config['migrates'] === true) await host.state.put([{ key: 'text', value: 'in the format of the second' }]);
    let current = config;
    return {
      drivers: {
        ...(kinds.includes('volume') && { volume: { [driverName]: new FaultyVolumes(host, () => current) } }),
        ...(kinds.includes('network') && { network: { [driverName]: new FaultyNetworks(host) } }),
        ...(kinds.includes('ipam') && { ipam: { [driverName]: new FaultyIpam(host) } }),
        ...(kinds.includes('log') && { log: { [driverName]: new FaultyLog(host) } }),
      },
      ...(config['live'] === false
        ? {}
        : {
            configure: async (next: typeof config) => {
              if (next['colour'] === 'refused') return [{ path: 'colour', message: 'no such paint', fatal: true }];
              current = next;
              return [];
            },
          }),
      selfTest: async ({ deep }) => [
        {
          name: 'back end',
          ok: !(deep && config['fails'] === 'self-test') && new Faults(host).of('self-test')?.does !== 'down',
          message: 'no answer',
          hint: 'look at the cable',
        },
      ],
      async *reconcile(refs) {
        const left = new Set(volumesIn(host.dataDir));
        const does = new Faults(host).of('reconcile')?.does;
        for await (const ref of refs) {
          const isThere = ref.kind !== 'volume' || left.delete(ref.id) || does === 'lie';
          yield { ref, state: isThere && config['fails'] !== 'reconcile' ? 'ok' : 'missing', detail: '' };
        }
        for (const id of left) yield { ref: { contract: 'volume', driver: driverName, kind: 'volume', id }, state: 'orphan', detail: '' };
        for (let number = 0; does === 'flood'; number += 1) {
          const ref: Ref = { contract: 'volume', driver: driverName, kind: 'volume', id: `orphan-${number}` };
          yield { ref, state: 'orphan', detail: 'x'.repeat(1_000) };
        }
      },
    };
  },
});

/** A volume is a folder in the data folder. */
class FaultyVolumes implements VolumeDriver {
  readonly #host: HostContext;
  readonly #config: () => HostContext['config'];
  readonly #faults: Faults;
  constructor(host: HostContext, config: () => HostContext['config']) {
    this.#host = host;
    this.#config = config;
    this.#faults = new Faults(host);
  }

  create: VolumeDriver['create'] = ({ name, options }, { signal }) =>
    this.#faults.around(
      'create',
      async () => {
        if (options['lookup'] !== undefined) await this.#lookBack(options['lookup']);
        if (options['state'] !== undefined) await this.#host.state.put([{ key: 'text', value: options['state'] }]);
        if (options['cas'] !== undefined) await this.#host.state.put([{ key: 'text', value: options['cas'], expectedRevision: 99_999 }]);
        if (options['fill'] !== undefined) writeFileSync(join(this.#host.dataDir, 'fill'), Buffer.alloc(Number(options['fill'])));
        mkdirSync(this.#folder(name), { recursive: true });
        return { volume: this.#volume(name) };
      },
      signal,
    );
  remove: VolumeDriver['remove'] = ({ name }) =>
    this.#faults.around('remove', async () => rmSync(this.#folder(name), { recursive: true, force: true }));
  stat: VolumeDriver['stat'] = ({ name }) =>
    this.#faults.around('stat', async () => {
      if (!existsSync(this.#folder(name))) throw notFound(`no volume ${name}`);
      const volume = this.#volume(name);
      return { volume: { ...volume, status: { ...volume.status, state: (await this.#host.state.get('text'))?.value ?? '' } } };
    });
  list: VolumeDriver['list'] = async function* (this: FaultyVolumes) {
    const { many = 0, eachMs = 0 } = this.#faults.of('list') ?? {};
    await this.#faults.around('list', async () => {});
    for (let index = 0; index < many; index += 1) {
      if (eachMs > 0) await sleep(eachMs);
      yield this.#volume(`many-${index}`);
    }
    for (const name of volumesIn(this.#host.dataDir)) yield this.#volume(name);
  };
  attach: VolumeDriver['attach'] = ({ name }, { signal }) =>
    this.#faults.around(
      'attach',
      async () => ({ attachment: { mounts: [{ type: 'bind', source: { data: `volumes/${name}` } }] } }),
      signal,
    );
  detach: VolumeDriver['detach'] = () => this.#faults.around('detach', async () => {});

  #folder(name: string): string {
    return join(this.#host.dataDir, 'volumes', name);
  }

  #volume(name: string): Volume {
    const { colour = 'none' } = this.#config();
    const hasSecret = this.#host.secrets['password'] === undefined ? 'no' : 'yes';
    return {
      name,
      scope: 'local',
      options: {},
      dataPath: `volumes/${name}`,
      status: { plugin: this.#host.name, pid: String(process.pid), colour: String(colour), hasSecret },
    };
  }

  /** Asks the engine in the middle of its own call. */
  async #lookBack(volume: string): Promise<void> {
    const { state } = this.#host;
    const before = await state.get('calls');
    await state.put([{ key: 'calls', value: String(Number(before?.value ?? 0) + 1), expectedRevision: before?.revision ?? 0 }]);
    await this.#host.lookup('volume', volume);
    if ((await state.list('')).length === 0) throw new Error('what was put is not there');
  }
}

function volumesIn(dataDir: string): readonly string[] {
  const root = join(dataDir, 'volumes');
  return existsSync(root) ? readdirSync(root) : [];
}
