import { codeOf, messageOf } from '@gantry/sdk';
import type { EndpointRecord } from '../documents.ts';
import type { Sandboxes } from '../endpoints/sandboxes.ts';
import type { Tools } from '../tools.ts';

/** Somebody's `nft flush ruleset` or `ip link delete` must not take containers off the network for longer than this and the repair. */
const everyMs = 4_000;

/** Puts back, while containers run, what others took out of the kernel: the firewall table, bridges with their ports, containers' links. */
export class Watch implements Disposable {
  readonly #tools: Tools;
  readonly #sandboxes: Sandboxes;
  #timer: NodeJS.Timeout | undefined;

  constructor(tools: Tools, sandboxes: Sandboxes) {
    this.#tools = tools;
    this.#sandboxes = sandboxes;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.look(), everyMs).unref();
  }

  /** Some 0.5 ms when all is well, nothing at all without running containers. Never rejects: what fails is logged, and tried again. */
  async look(): Promise<void> {
    const running = this.#tools.books.endpoints.filter(({ document }) => document.ifname !== '');
    if (running.length === 0) return;
    this.#attempt('firewall', () => {
      if (this.#tools.executor.firewall.repair()) this.#tools.log.warn('the firewall table of the containers had been changed; it is back');
    });
    const restored = new Set<string>();
    for (const networkId of new Set(running.map((endpoint) => endpoint.networkId)))
      this.#attempt('network', () => this.#restoreNetwork(networkId, running) && restored.add(networkId));
    for (const { containerId, networkId, document } of this.#withoutLink(running, restored)) {
      try {
        if (await this.#sandboxes.restoreLink(containerId, networkId, { isGone: restored.has(networkId) }))
          this.#tools.log.warn({ container: document.containerName }, 'the network link of a container had been removed; it is back');
      } catch (error) {
        this.#failed('link', error);
      }
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Answers whether its containers' links went with it: what lies on another link does, a bridge's ports do not. */
  #restoreNetwork(networkId: string, running: readonly EndpointRecord[]): boolean {
    const { books, executor, log } = this.#tools;
    const plan = books.byId(networkId)?.document.plan;
    // A link that is not ours to make is its owner's to bring back.
    if (plan === undefined || plan.links.length === 0 || plan.links[0]?.kind === 'existing' || executor.links.has(plan)) return false;
    const endpoints = running.flatMap(({ networkId: on, document: { endpointId, plan: link } }) =>
      on === networkId && link !== undefined ? [{ endpointId, plan: link }] : [],
    );
    executor.restoreNetwork(plan, endpoints);
    log.warn({ network: plan.network.name, link: plan.links[0]?.name }, 'the link of a network had been removed; it is back');
    return plan.links[0]?.kind !== 'bridge';
  }

  /** One question for all of them, however many there are. */
  #withoutLink(running: readonly EndpointRecord[], restored: ReadonlySet<string>): readonly EndpointRecord[] {
    const there = this.#tools.executor.linkNames();
    return running.filter(({ document, networkId }) => restored.has(networkId) || !this.#tools.executor.hasEndpoint(document, there));
  }

  #attempt(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(what, error);
    }
  }

  #failed(what: string, error: unknown): void {
    this.#tools.log.error({ what, code: codeOf(error), reason: messageOf(error) }, 'could not repair the containers’ network');
  }
}
