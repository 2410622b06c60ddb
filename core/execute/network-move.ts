import { closeSync } from 'node:fs';
import { conflict } from '@gantry/sdk';
import { type LinkProperties, openNetns, type Rtnetlink } from '@gantry/sdk/linux';
import type { Link } from '@gantry/sdk/network';
import { aliasOf } from './network-links.ts';

/** Takes a link that a plugin made (`parent`) from the host into a namespace, under its new name. What the engine made itself is refused. */
export function moveIn(
  kernel: Rtnetlink,
  netns: number,
  ifname: string,
  { link, shared }: { readonly link: Link; readonly shared: LinkProperties },
): void {
  const name = link.parent ?? link.name;
  const found = kernel.linkGet(name);
  if (found === undefined) throw conflict(`network interface ${name} is not there`);
  if (name === 'lo' || found.alias?.startsWith(aliasOf('')) === true) throw conflict(`network interface ${name} is not the plugin's`);
  kernel.linkSet(found.index, { up: false, ...shared });
  kernel.linkSet(found.index, { name: ifname, netnsFd: netns });
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
