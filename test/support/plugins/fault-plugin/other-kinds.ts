import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostContext } from '@gantry/sdk';
import type { IpamDriver } from '@gantry/sdk/ipam';
import type { LogDriver, WriteRequest, WriteResponse } from '@gantry/sdk/log';
import type { Network, NetworkDriver } from '@gantry/sdk/network';
import { Faults } from './faults.ts';

/** A bridge for each network; faults are told by "network.<method>". */
export class FaultyNetworks implements NetworkDriver {
  readonly features = [];
  readonly namespace = 'own';
  readonly dns = false;
  readonly ipam = true;
  readonly #faults: Faults;
  constructor(host: HostContext) {
    this.#faults = new Faults(host);
  }

  createNetwork: NetworkDriver['createNetwork'] = ({ network }) =>
    this.#faults.around('network.createNetwork', async () => ({
      network,
      links: [{ kind: 'bridge', name: this.#faults.of('network.createNetwork')?.bridge ?? bridgeOf(network) }],
      masquerade: [],
      rules: this.#faults.of('network.createNetwork')?.rules ?? [],
    }));
  removeNetwork: NetworkDriver['removeNetwork'] = () => this.#faults.around('network.removeNetwork', async () => {});
  attach: NetworkDriver['attach'] = ({ network, endpoint: { addresses } }, { signal }) =>
    this.#faults.around(
      'network.attach',
      async () => ({
        link: { kind: 'veth', name: 'eth%d', master: bridgeOf(network) },
        addresses,
        routes: [],
        publishable: false,
      }),
      signal,
    );
  detach: NetworkDriver['detach'] = () => this.#faults.around('network.detach', async () => {});
}

const bridgeOf = ({ id }: Network): string => `gf-${id.slice(0, 10)}`;

/** The 10.201.x.0/24 in order, forgotten at each start; faults are told by "ipam.<method>". */
export class FaultyIpam implements IpamDriver {
  readonly #faults: Faults;
  readonly #pools: string[] = [];
  readonly #owners: string[] = [];
  constructor(host: HostContext) {
    this.#faults = new Faults(host);
  }

  requestPool: IpamDriver['requestPool'] = ({ requestId, cidr }) =>
    this.#faults.around('ipam.requestPool', async () => ({
      poolId: requestId,
      cidr: cidr || `10.201.${numberIn(this.#pools, requestId)}.0/24`,
    }));
  releasePool: IpamDriver['releasePool'] = () => this.#faults.around('ipam.releasePool', async () => {});
  requestAddress: IpamDriver['requestAddress'] = ({ poolId, owner }) =>
    this.#faults.around('ipam.requestAddress', async () => ({
      address: `10.201.${numberIn(this.#pools, poolId)}.${numberIn(this.#owners, `${poolId} ${owner}`) + 1}/24`,
    }));
  releaseAddress: IpamDriver['releaseAddress'] = () => this.#faults.around('ipam.releaseAddress', async () => {});
}

function numberIn(known: string[], name: string): number {
  if (!known.includes(name)) known.push(name);
  return known.indexOf(name);
}

/** Lines "<stream> <number> <text>" in the file `lines` of the data folder; cannot read. Faults are told by "log.write", which is asked for each batch. */
export class FaultyLog implements LogDriver {
  readonly #host: HostContext;
  readonly #faults: Faults;
  constructor(host: HostContext) {
    this.#host = host;
    this.#faults = new Faults(host);
  }

  validate: LogDriver['validate'] = () => this.#faults.around('log.validate', async () => {});
  write: LogDriver['write'] = async function* (this: FaultyLog, requests: AsyncIterable<WriteRequest>): AsyncGenerator<WriteResponse> {
    let stream = '';
    for await (const request of requests) {
      if (request.kind === 'open') stream = request.streamId;
      if (request.kind !== 'batch') continue;
      const { firstSeq, entries } = request;
      const lines = entries.map(({ line }, index) => `${stream} ${firstSeq + index} ${line.toString()}\n`);
      await this.#faults.around('log.write', async () => appendFileSync(join(this.#host.dataDir, 'lines'), lines.join('')));
      yield { ackedSeq: firstSeq + entries.length - 1 };
    }
  };
}
