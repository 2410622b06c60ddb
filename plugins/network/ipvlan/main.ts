import { invalidArgument } from '@gantry/sdk';
import { network, t } from '@gantry/sdk/author';
import { gatewayRoutes, neighbourSysctls, parentLink } from '@gantry/sdk/network';

/**
 * Containers with addresses of their own, under the machine's hardware address, on the network of the machine's link `parent`: neighbours of the machine, without NAT or
 * published ports. The kernel keeps them and the machine itself apart. "eth0.20" is VLAN 20 of eth0, made when it is not there; without a
 * parent they have a wire to themselves. In the modes l3 and l3s the machine routes for them, and whoever is to answer needs a route to it.
 */
export default network({
  name: 'ipvlan',
  options: {
    parent: t.Optional(t.String({ pattern: '^[^\\s/:"%]{1,15}$' })),
    ipvlan_mode: t.Enum(['l2', 'l3', 'l3s'], { default: 'l2' }),
    ipvlan_flag: t.Enum(['bridge', 'private', 'vepa'], { default: 'bridge' }),
    'com.docker.network.driver.mtu': t.Optional(t.Integer({ minimum: 68, maximum: 65_535 })),
    'com.docker.network.container_iface_prefix': t.Optional(t.String({ pattern: '^[a-z]{1,11}$' })),
  },
  createNetwork: (n) => ({ links: [parentLink(n, { parent: n.options.parent, prefix: 'di-' })] }),
  attach: (n, endpoint) => {
    if (endpoint.mac !== undefined)
      throw invalidArgument(`an ipvlan has its parent's hardware address; ${endpoint.mac} cannot be given`, { reason: 'MAC_NOT_POSSIBLE' });
    return {
      link: {
        kind: 'ipvlan',
        name: endpoint.ifname === 'eth%d' ? `${n.options['com.docker.network.container_iface_prefix'] ?? 'eth'}%d` : endpoint.ifname,
        parent: parentLink(n, { parent: n.options.parent, prefix: 'di-' }).name,
        mtu: n.options['com.docker.network.driver.mtu'],
        attrs: { mode: n.options.ipvlan_mode, flag: n.options.ipvlan_flag },
      },
      routes:
        n.internal || n.options.parent === undefined
          ? []
          : gatewayRoutes(n.subnets, endpoint.addresses).map(({ to, via }) => (n.options.ipvlan_mode === 'l2' ? { to, via } : { to })),
      sysctls: neighbourSysctls(endpoint.addresses),
      publishable: false,
    };
  },
});
