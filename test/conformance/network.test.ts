import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Ctx, PluginModule } from '@gantry/sdk';
import { createNetns, removeNetns, Rtnetlink } from '@gantry/sdk/linux';
import type { NetworkDriver } from '@gantry/sdk/network';
import { NetworkExecutor } from '../../core/execute/index.ts';
import { randomId } from '../../core/support/index.ts';
import bridge from '../../plugins/network/bridge/main.ts';
import host from '../../plugins/network/host/main.ts';
import none from '../../plugins/network/none/main.ts';
import { networkCases, type PlanHost, type PlannedEndpoint } from '../../sdk/network/conformance.ts';
import { run } from '../integration/networks/machine.ts';
import { hostContext } from '../support/host-context.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';
import { quietLog } from '../support/quiet-log.ts';

inNamespaces(import.meta.url);
leakGuard();

const ctx: Ctx = { signal: new AbortController().signal, log: quietLog, operationId: 'test' };

/** Plans in this (private) kernel, by the engine's own executor. */
class Kernel implements PlanHost, Disposable {
  readonly #executor = new NetworkExecutor(quietLog);
  readonly #namespaces = new Map<PlannedEndpoint, string>();

  makeNetwork(plan: Parameters<PlanHost['makeNetwork']>[0]): void {
    this.#executor.check(plan, {
      network: plan.network,
      grants: { plugin: 'test', dataDir: '', mountTypes: [], hostPaths: [], devices: [], nftables: false },
    });
    this.#executor.makeNetwork(plan);
  }

  removeNetwork(plan: Parameters<PlanHost['makeNetwork']>[0]): Promise<void> {
    return this.#executor.removeNetwork(plan);
  }

  makeEndpoint(plan: Parameters<PlanHost['makeEndpoint']>[0]): PlannedEndpoint {
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

const unusable = new Kernel();

for (const [name, module] of Object.entries({ bridge, host, null: none })) {
  const subject = { driver: await open(name, module), ctx, badOption: { 'com.docker.network.bridge.nonsense': '1' } };
  for (const { name: clause, skip, run: prove } of networkCases) {
    const given = name === 'bridge' ? subject : { driver: subject.driver, ctx };
    const reason = skip({ ...given, host: unusable });
    test(`the ${name} network driver passes network.${clause}`, { skip: reason ?? false }, async () => {
      using kernel = new Kernel();
      await prove({ ...given, host: kernel });
    });
  }
}

async function open(name: string, module: PluginModule): Promise<NetworkDriver> {
  return (await module.activate(hostContext({ name, dataDir: '/nowhere' }))).drivers.network?.[name] ?? assert.fail(`no driver ${name}`);
}
