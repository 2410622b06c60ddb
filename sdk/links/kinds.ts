import { invalidArgument } from '../errors.ts';
import type { LinkKind, LinkProperties } from '../linux/index.ts';
import type { EndpointPlan, Link } from '../network/index.ts';

/** The index of a link of the machine. */
export type IndexOf = (name: string) => number;

/** A network's link in the kernel's words. */
export function hostKind({ kind, name, parent, attrs }: Link, indexOf: IndexOf): LinkKind {
  const link = () => indexOf(parent ?? '');
  switch (kind) {
    case 'bridge':
    case 'dummy':
      return { kind };
    case 'vlan':
      return { kind, link: link(), vlanId: Number(attrs?.['id']) };
    case 'vxlan':
      return { kind, vxlanId: Number(attrs?.['id']), ...vxlanAttributes(attrs), ...(parent === undefined ? {} : { link: link() }) };
    case 'veth':
    case 'macvlan':
    case 'ipvlan':
    case 'existing':
    case 'none':
      throw invalidArgument(`link ${name}: a ${kind} belongs to a container, not to a network`);
    default:
      return kind satisfies never;
  }
}

/** A container's link, of those kinds that have no other end on the machine. */
export function innerKind({ kind, name, parent = '', attrs }: Link, indexOf: IndexOf): LinkKind {
  switch (kind) {
    case 'dummy':
      return { kind };
    case 'macvlan':
      return { kind, link: indexOf(parent), mode: oneOf(attrs?.['mode'], ['bridge', 'private', 'vepa', 'passthru']) };
    case 'ipvlan': {
      const flag = oneOf(attrs?.['flag'], ['bridge', 'private', 'vepa']);
      return { kind, link: indexOf(parent), mode: oneOf(attrs?.['mode'], ['l2', 'l3', 'l3s']), flag };
    }
    case 'bridge':
    case 'vxlan':
    case 'vlan':
    case 'veth':
    case 'existing':
    case 'none':
      throw invalidArgument(`link ${name}: a ${kind} is not made as a container's`);
    default:
      return kind satisfies never;
  }
}

/** What a container's link has of whatever kind it is. */
export function sharedProperties({ link: { mtu }, mac }: Pick<EndpointPlan, 'link' | 'mac'>): Pick<LinkProperties, 'mtu' | 'address'> {
  return { ...(mtu === undefined ? {} : { mtu }), ...(mac === undefined ? {} : { address: mac }) };
}

/** Where a vxlan's flooded packets go, one entry of its forwarding table each. */
export function remotesOf({ attrs }: Link): readonly string[] {
  return (attrs?.['remotes'] ?? '').split(',').filter((remote) => remote !== '');
}

function vxlanAttributes({ local, group, port }: NonNullable<Link['attrs']> = {}) {
  return {
    ...(local === undefined ? {} : { local }),
    ...(group === undefined ? {} : { group }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}

/** Docker's own choice comes first: it is taken where a plan makes none. */
function oneOf<const Name extends string>(wanted: string | undefined, names: readonly [Name, ...Name[]]): Name {
  return names.find((name) => name === wanted) ?? names[0];
}
