import { messageOf } from '@gantry/sdk';
import type { Tools } from './tools.ts';

/** Somebody's `nft flush ruleset` or `ip link delete` must not take containers off the network for longer than this and the repair. */
const everyMs = 4_000;

/** Puts back, while containers run, what others took out of the kernel: the firewall table and bridges with their ports. */
export class Watch implements Disposable {
  readonly #tools: Tools;
  #timer: NodeJS.Timeout | undefined;

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), everyMs).unref();
  }

  /** Some 0.5 ms when all is well, nothing at all without running containers. */
  look(): void {
    const { books, executor, log } = this.#tools;
    const running = books.endpoints.filter(({ document }) => document.ifname !== '');
    if (running.length === 0) return;
    try {
      if (executor.firewall.repair()) log.warn('the firewall table of the containers had been removed; it is back');
      for (const networkId of new Set(running.map((endpoint) => endpoint.networkId))) {
        const plan = books.byId(networkId)?.document.plan;
        if (plan === undefined || plan.links.length === 0 || executor.links.has(plan)) continue;
        const endpoints = running.flatMap(({ networkId: on, document: { endpointId, plan: link } }) =>
          on === networkId && link !== undefined ? [{ endpointId, plan: link }] : [],
        );
        executor.restoreNetwork(plan, endpoints);
        log.warn({ network: plan.network.name }, 'the bridge of a network had been removed; it is back');
      }
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'could not repair the containers’ network');
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
