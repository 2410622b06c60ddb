import { createHash } from 'node:crypto';
import { alreadyExists, codeOf, type Ctx, type StateStore } from '@gantry/sdk';
import type { AttachRequest, DetachRequest, EndpointPlan, Network, NetworkDriver, NetworkPlan } from '@gantry/sdk/network';
import type { Answer } from './answer.ts';
import type { Connection } from './connection.ts';
import { endpointPlan } from './network-plan.ts';
import { createEndpointBody, createNetworkBody, endpointOptions } from './network-words.ts';

/** Undoing does not wait for the caller, nor for ever. */
const undoMs = 10_000;

/**
 * `NetworkDriver.*` of Docker's plugins. The plugin makes the interface in the host's namespace; the plan tells the engine to move it.
 * What was sent is kept, so that a repeated call is none and one that never was is not undone.
 */
export class DockerNetworkDriver implements NetworkDriver {
  readonly features = [] as const;
  readonly namespace = 'own';
  readonly dns = true;
  readonly ipam = true;
  readonly #plugin: Connection;
  readonly #state: StateStore;

  constructor(plugin: Connection, state: StateStore) {
    this.#plugin = plugin;
    this.#state = state;
  }

  async createNetwork({ network }: { readonly network: Network }, { signal }: Ctx): Promise<NetworkPlan> {
    const key = this.#key('network', network.id);
    if ((await this.#state.get(key)) === undefined) {
      await this.#create(network, signal);
      await this.#state.put([{ key, value: network.name }]);
    }
    return { network, links: [], masquerade: [] };
  }

  async removeNetwork({ network }: { readonly network: Network }, { signal }: Ctx): Promise<void> {
    await this.#unlessGone('NetworkDriver.DeleteNetwork', { NetworkID: network.id }, signal);
    await this.#state.put([{ key: this.#key('network', network.id), value: undefined }]);
  }

  /** The plan of an attachment that is there already, without asking again. A failure takes back what was made. */
  async attach({ network, endpoint }: AttachRequest, { signal }: Ctx): Promise<EndpointPlan> {
    const key = this.#key('endpoint', `${network.id} ${endpoint.attachmentId}`);
    const asked = digest(JSON.stringify([network, endpoint]));
    const known = parse((await this.#state.get(key))?.value);
    if (known?.plan !== undefined) {
      if (known.asked === asked) return known.plan;
      throw alreadyExists(`attachment ${endpoint.attachmentId} of network ${network.name} exists with other facts`);
    }
    const place = { NetworkID: network.id, EndpointID: endpointIdOf(network.id, endpoint.attachmentId) };
    await this.#state.put([{ key, value: '{}' }], { relaxed: true });
    try {
      const plan = await this.#join({ network, endpoint }, place, signal);
      await this.#state.put([{ key, value: JSON.stringify({ asked, plan }) }], { relaxed: true });
      return plan;
    } catch (error) {
      await this.#takeBack(key, place, AbortSignal.timeout(undoMs)).catch(() => {});
      throw error;
    }
  }

  async detach({ network, attachmentId }: DetachRequest, { signal }: Ctx): Promise<void> {
    const key = this.#key('endpoint', `${network.id} ${attachmentId}`);
    if ((await this.#state.get(key)) === undefined) return;
    await this.#takeBack(key, { NetworkID: network.id, EndpointID: endpointIdOf(network.id, attachmentId) }, signal);
  }

  async #join({ network, endpoint }: AttachRequest, place: Answer, signal: AbortSignal): Promise<EndpointPlan> {
    const created = await this.#createEndpoint(network, createEndpointBody(network.id, String(place['EndpointID']), endpoint), signal);
    const sandbox = {
      ...place,
      SandboxKey: `/var/run/docker/netns/${endpoint.containerId.slice(0, 12)}`,
      Options: endpointOptions(endpoint),
    };
    const joined = await this.#plugin.call('NetworkDriver.Join', sandbox, signal);
    const plan = endpointPlan({ network, endpoint, created, joined });
    if (plan.publishable)
      await this.#unlessMissing('NetworkDriver.ProgramExternalConnectivity', { ...place, Options: endpointOptions(endpoint) }, signal);
    return plan;
  }

  /** A plugin that keeps its networks in memory has forgotten them after a new start: it is told again. Refused, so nothing is sent twice. */
  async #createEndpoint(network: Network, body: Answer, signal: AbortSignal): Promise<Answer> {
    try {
      return await this.#plugin.call('NetworkDriver.CreateEndpoint', body, signal);
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
      await this.#create(network, signal);
      return this.#plugin.call('NetworkDriver.CreateEndpoint', body, signal);
    }
  }

  async #create(network: Network, signal: AbortSignal): Promise<void> {
    try {
      await this.#plugin.call('NetworkDriver.CreateNetwork', createNetworkBody(network), signal);
    } catch (error) {
      if (codeOf(error) !== 'already_exists') throw error;
    }
  }

  async #takeBack(key: string, place: Answer, signal: AbortSignal): Promise<void> {
    await this.#unlessMissing('NetworkDriver.RevokeExternalConnectivity', place, signal);
    await this.#unlessGone('NetworkDriver.Leave', place, signal);
    await this.#unlessGone('NetworkDriver.DeleteEndpoint', place, signal);
    await this.#state.put([{ key, value: undefined }], { relaxed: true });
  }

  async #unlessGone(method: string, body: Answer, signal: AbortSignal): Promise<void> {
    try {
      await this.#plugin.call(method, body, signal);
    } catch (error) {
      if (codeOf(error) !== 'not_found') throw error;
    }
  }

  /** Methods that came later, and that a plugin may refuse for an endpoint without ports. */
  async #unlessMissing(method: string, body: Answer, signal: AbortSignal): Promise<void> {
    try {
      await this.#plugin.call(method, body, signal);
    } catch (error) {
      if (codeOf(error) !== 'not_implemented' && codeOf(error) !== 'not_found') throw error;
    }
  }

  #key(kind: 'network' | 'endpoint', id: string): string {
    return `network/${digest(this.#plugin.name).slice(0, 32)}/${kind}/${digest(id)}`;
  }
}

/** Docker's endpoint ids have 64 hexadecimal digits; the same attachment always has the same. */
function endpointIdOf(networkId: string, attachmentId: string): string {
  return digest(`${networkId} ${attachmentId}`);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function parse(text: string | undefined): { readonly asked?: string; readonly plan?: EndpointPlan } | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as { readonly asked?: string; readonly plan?: EndpointPlan });
}
