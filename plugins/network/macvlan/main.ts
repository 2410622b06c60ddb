import { network, t } from '@gantry/sdk/author';
import { gatewayRoutes, neighbourSysctls, parentLink } from '@gantry/sdk/network';

/**
 * Containers with a hardware address of their own on the network of the machine's link `parent`: neighbours of the machine, without NAT or
 * published ports. The kernel keeps them and the machine itself apart. "eth0.20" is VLAN 20 of eth0, made when it is not there; without a
 * parent they have a wire to themselves.
 */
export default network({
  name: 'macvlan',
  options: {
    parent: t.Optional(t.String({ pattern: '^[^\\s/:"%]{1,15}$' })),
    macvlan_mode: t.Enum(['bridge', 'private', 'vepa', 'passthru'], { default: 'bridge' }),
    'com.docker.network.driver.mtu': t.Optional(t.Integer({ minimum: 68, maximum: 65_535 })),
    'com.docker.network.container_iface_prefix': t.Optional(t.String({ pattern: '^[a-z]{1,11}$' })),
  },
  createNetwork: (n) => ({ links: [parentLink(n, { parent: n.options.parent, prefix: 'dm-' })] }),
  attach: (n, endpoint) => ({
    link: {
      kind: 'macvlan',
      name: endpoint.ifname === 'eth%d' ? `${n.options['com.docker.network.container_iface_prefix'] ?? 'eth'}%d` : endpoint.ifname,
      parent: parentLink(n, { parent: n.options.parent, prefix: 'dm-' }).name,
      mtu: n.options['com.docker.network.driver.mtu'],
      attrs: { mode: n.options.macvlan_mode },
    },
    mac: endpoint.mac,
    routes: n.internal || n.options.parent === undefined ? [] : gatewayRoutes(n.subnets, endpoint.addresses),
    sysctls: neighbourSysctls(endpoint.addresses),
    publishable: false,
  }),
});
