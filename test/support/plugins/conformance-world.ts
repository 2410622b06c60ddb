import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Attachment } from '@gantry/sdk';
import type { ExecWorld, OpenedPlugin, World } from '@gantry/sdk/conformance';
import type { DescribingExecDriver, ExecDriver } from '@gantry/sdk/exec';
import { createNetns, removeNetns, Rtnetlink } from '@gantry/sdk/linux';
import type { EndpointPlan, NetworkPlan } from '@gantry/sdk/network';
import type { Grants } from '../../../core/drivers/types.ts';
import { describedProcess, Helpers, makeMounts, NetworkExecutor, unmount, whyNoProjectQuota } from '../../../core/execute/index.ts';
import { randomId } from '../../../core/support/index.ts';
import type { PlanHost, PlannedEndpoint } from '../../../sdk/network/conformance.ts';
import { run } from '../../integration/networks/machine.ts';
import { openOci } from './exec-oci.ts';
import { RealLayerWork } from './layer-work.ts';
import { quietLog } from '../machine/quiet-log.ts';

/** The engine's own executors, for conformance in private namespaces. */
export const realWorld: World = {
  mount: mountAt,
  planHost: () => new Kernel(),
  noProjectQuota: (folder) => whyNoProjectQuota(folder)?.message,
  layers: (plugin, driver) => new RealLayerWork({ driver, grants: grantsOf(plugin) }),
  exec: execWorld,
};

export interface Granted {
  readonly manifest: Pick<OpenedPlugin['manifest'], 'name' | 'privileges'>;
  readonly dataDir: string;
  /** As the engine mounts what users named in options. */
  readonly restricted?: boolean;
}

/** What the engine would check a plugin's descriptions against. */
export function grantsOf({ manifest: { name, privileges = {} }, dataDir }: Granted): Grants {
  const {
    mountTypes = [],
    hostPaths = [],
    devices = [],
    nftables = false,
    runtimes = [],
    cni = [],
    capabilities = [],
    network,
  } = privileges;
  const helpers = {
    codeDir: import.meta.dirname,
    uid: 0,
    capabilities,
    network: 'none',
    resources: { memoryBytes: 512 << 20, pids: 256 },
  } as const;
  return { plugin: name, dataDir, mountTypes, hostPaths, devices, nftables, hostLinks: network === 'host', runtimes, cni, helpers };
}

/** The engine's own exec driver, which runs what others describe. */
async function execWorld(): Promise<ExecWorld> {
  const monitor = await openOci();
  return {
    container: monitor.container,
    exec: monitor.exec,
    hasKernel: monitor.hasKernel,
    oneOf: 16,
    monitored: (driver, plugin) => monitored(driver, monitor.driver, grantsOf(plugin)),
    [Symbol.asyncDispose]: () => monitor[Symbol.asyncDispose](),
  };
}

function monitored(driver: DescribingExecDriver, monitor: ExecDriver, grants: Grants): ExecDriver {
  const create: ExecDriver['create'] = async (request, ctx) => {
    const spec: unknown = JSON.parse(readFileSync(join(request.bundle, 'config.json'), 'utf8'));
    const described = await describedProcess(driver, { id: request.id, containerName: request.id, labels: {}, spec }, { grants, ctx });
    assert.equal(described.kind, 'runtime');
    return monitor.create({ ...request, command: { program: described.program, arguments: described.arguments } }, ctx);
  };
  return new Proxy(monitor, {
    get: (target, name) => {
      if (name === 'features') return [];
      const found: unknown = name === 'create' ? create : Reflect.get(target, name);
      return typeof found === 'function' ? found.bind(target) : found;
    },
  });
}

/** What a driver described, mounted at a new folder. */
export async function mountAt({ mounts }: Attachment, plugin: Granted): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'mounted-'));
  const path = join(folder, 'root');
  mkdirSync(path);
  const helpers = new Helpers({ execRoot: folder, log: quietLog });
  const remove = async (): Promise<void> => {
    await unmount(path, helpers);
    await helpers[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  };
  try {
    await makeMounts({ target: path, mounts, grants: grantsOf(plugin), restricted: plugin.restricted ?? false, helpers });
    return { path, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Plans in this (private) kernel, by the engine's own executor. */
export class Kernel implements PlanHost, Disposable {
  readonly #executor = new NetworkExecutor(quietLog);
  readonly #namespaces = new Map<PlannedEndpoint, string>();

  makeNetwork(plan: NetworkPlan): void {
    const grants = { plugin: 'test', dataDir: '', mountTypes: [], hostPaths: [], devices: [], nftables: false, hostLinks: true };
    this.#executor.check(plan, { network: plan.network, grants });
    this.#executor.makeNetwork(plan);
  }

  removeNetwork(plan: NetworkPlan): Promise<void> {
    return this.#executor.removeNetwork(plan);
  }

  makeEndpoint(plan: EndpointPlan): PlannedEndpoint {
    mkdirSync('/run/conformance', { recursive: true });
    const endpointId = randomId();
    const netnsPath = `/run/conformance/${endpointId}`;
    createNetns(netnsPath);
    const { ifname } = this.#executor.makeEndpoint({ endpointId, netnsPath, plan, isGateway: true });
    const remove = async (): Promise<void> => {
      await this.#executor.undoEndpoint({ endpointId, netnsPath, ifname, plan });
      removeNetns(netnsPath);
    };
    const endpoint = { ifname, remove };
    this.#namespaces.set(endpoint, netnsPath);
    return endpoint;
  }

  run(at: PlannedEndpoint | undefined, ...command: string[]): Promise<string> {
    return run(at === undefined ? '' : (this.#namespaces.get(at) ?? assert.fail('gone')), ...command);
  }

  links(): readonly string[] {
    using here = Rtnetlink.open();
    return here.linkList().map(({ name }) => name);
  }

  [Symbol.dispose](): void {
    this.#executor[Symbol.dispose]();
  }
}
