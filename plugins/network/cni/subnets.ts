import { type Cidr, contains, parseAddress, parseCidr } from '@gantry/sdk/network';

/**
 * An address with the length of the first subnet that it is in and that anything in this configuration names, as `ipam.subnet`, `ipam.ranges` or an address of `ipam.addresses`
 * does: plugins take wished addresses in this form. As it is where no subnet is its own.
 */
export function withPrefix(address: string, configuration: unknown): string {
  const wished = parseAddress(address);
  const subnet = wished === undefined ? undefined : prefixesIn(configuration).find((cidr) => contains(cidr, wished));
  return subnet === undefined ? address : `${address}/${subnet.length}`;
}

function prefixesIn(value: unknown): readonly Cidr[] {
  if (typeof value === 'string') return [parseCidr(value) ?? []].flat();
  if (typeof value !== 'object' || value === null) return [];
  // A destination of a route is no subnet of containers.
  return Object.entries(value).flatMap(([key, inner]) => (key === 'routes' || key === 'dst' ? [] : prefixesIn(inner)));
}
