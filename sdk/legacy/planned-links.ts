import { HostLinks, innerKind, joinBridge, linkRefused, sharedProperties } from '../links/index.ts';
import type { EndpointPlan, NetworkPlan } from '../network/index.ts';
import type { Logger } from '../types/index.ts';

/** Makes what a network driver planned, in the machine's namespace, from where Docker moves a container's link on. */
export class PlannedLinks implements Disposable {
  readonly #links: HostLinks;

  constructor(log: Logger) {
    this.#links = new HostLinks({
      mark: 'gantry-docker:',
      // Docker shows its plugins these settings read-only, unless they are privileged in other ways.
      unsettable: (key, err) => log.debug({ key, err }, 'a setting of the kernel cannot be changed here'),
    });
  }

  /** What is there already stays; `conflict` for a name that somebody else uses. */
  makeNetwork(plan: NetworkPlan): void {
    this.#links.make(plan);
  }

  removeNetwork(plan: NetworkPlan): Promise<void> {
    return this.#links.remove(plan);
  }

  /** Makes a container's link and answers the name under which it is to be moved. Made already: the same name. */
  makeEndpoint(endpointId: string, plan: EndpointPlan): string {
    const { link } = plan;
    const { host, inner } = namesOf(endpointId);
    if (link.kind === 'none') return '';
    if (link.kind === 'existing') return link.parent ?? link.name;
    if (this.#links.kernel.linkGet(inner) !== undefined) return inner;
    try {
      if (link.kind === 'veth') joinBridge(this.#links, { name: host, owner: endpointId, peer: { name: inner } }, plan);
      else {
        const kind = innerKind(link, (name) => this.#links.indexOf(name));
        this.#links.kernel.linkAdd(inner, kind, { alias: this.#links.markOf(endpointId), ...sharedProperties(plan) });
      }
    } catch (error) {
      throw linkRefused(link, error);
    }
    return inner;
  }

  /** Both ends of a veth go with one. Gone with the container's namespace already: nothing to do. */
  async removeEndpoint(endpointId: string): Promise<void> {
    for (const name of Object.values(namesOf(endpointId))) await this.#links.removeOne(name, endpointId);
  }

  [Symbol.dispose](): void {
    this.#links[Symbol.dispose]();
  }
}

/** At most 15 bytes. */
function namesOf(endpointId: string): { readonly host: string; readonly inner: string } {
  const short = endpointId.slice(0, 11);
  return { host: `gh${short}`, inner: `gc${short}` };
}
