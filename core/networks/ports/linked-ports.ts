import type { LinkedPort } from '../../execute/index.ts';
import { GantryError } from '@gantry/sdk';
import type { NetworkRecord } from '../documents.ts';
import { exposedPorts } from './port-wishes.ts';
import { defaultNetwork } from '../life/predefined.ts';
import type { Tools } from '../tools.ts';
import { parseLink } from '../endpoints/wishes.ts';

/**
 * On a default network whose containers may not talk to each other (icc=false), a link opens the exposed ports of the one that is named to
 * the one that names it, as long as both run. `except` is on its way out. Elsewhere links open nothing, since nothing is closed.
 */
export function openLinks(tools: Tools, { except }: { readonly except?: string } = {}): void {
  const network = tools.books.named(defaultNetwork);
  if (network?.document.plan.isolation?.interContainer !== false) return;
  tools.executor.link(linkedPorts(tools, network, except));
}

function linkedPorts(tools: Tools, { id }: NetworkRecord, except: string | undefined): readonly LinkedPort[] {
  const addresses = new Map(
    tools.books
      .endpointsOn(id)
      .filter(({ containerId, document }) => containerId !== except && document.ifname !== '')
      .map(({ containerId, document }) => [containerId, document.addresses.find((address) => !address.includes(':'))?.split('/')[0] ?? '']),
  );
  return [...addresses].flatMap(([containerId, from]) =>
    (found(tools, containerId)?.hostConfig.Links ?? []).flatMap((link) => {
      const target = found(tools, parseLink(link).target);
      const to = addresses.get(target?.id ?? '');
      if (target === undefined || to === undefined) return [];
      return exposedPorts(target.config).map(({ protocol, containerPort }) => ({ from, to, protocol, port: containerPort }));
    }),
  );
}

function found({ users }: Tools, container: string) {
  try {
    return users().find(container);
  } catch (error) {
    if (GantryError.is(error) && error.code === 'not_found') return undefined;
    throw error;
  }
}
