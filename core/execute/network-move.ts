import { closeSync } from 'node:fs';
import { conflict } from '@gantry/sdk';
import { type HostLinks, sharedProperties } from '@gantry/sdk/links';
import { openNetns, type Rtnetlink } from '@gantry/sdk/linux';
import type { EndpointPlan, Link } from '@gantry/sdk/network';

/** Takes a link that a plugin made (`parent`) from the host into a namespace, under its new name. What the engine made itself is refused. */
export function moveIn(host: HostLinks, netns: number, ifname: string, plan: EndpointPlan): void {
  const name = plan.link.parent ?? plan.link.name;
  const found = host.kernel.linkGet(name);
  if (found === undefined) throw conflict(`network interface ${name} is not there`);
  if (name === 'lo' || found.alias?.startsWith(host.markOf('')) === true) throw conflict(`network interface ${name} is not the plugin's`);
  host.kernel.linkSet(found.index, { up: false, ...sharedProperties(plan) });
  host.kernel.linkSet(found.index, { name: ifname, netnsFd: netns });
}

/** Gives a link back to the host under the name it had; gone already: nothing to do. */
export function moveOut(inside: Rtnetlink, ifname: string, link: Link): void {
  const found = inside.linkGet(ifname);
  if (found === undefined) return;
  const home = openNetns('/proc/thread-self/ns/net');
  try {
    inside.linkSet(found.index, { up: false });
    inside.linkSet(found.index, { name: link.parent ?? link.name, netnsFd: home });
  } finally {
    closeSync(home);
  }
}
