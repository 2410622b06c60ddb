import { invalidArgument, notImplemented } from '../errors.ts';
import { type Endpoint, type EndpointPlan, type Network, parseCidr, type Route, type Subnet } from '../network/index.ts';
import { type Body, given, list, object, text, texts } from './body.ts';

/** Docker's `CreateNetwork` as our network. It tells no name and no labels: the id stands for the name. */
export function networkOf(body: Body): Network {
  const id = given(body, 'NetworkID');
  const options = object(body, 'Options');
  const subnets = [...list(body, 'IPv4Data'), ...list(body, 'IPv6Data')].flatMap((data) => subnetOf(data as Body));
  return {
    id,
    name: id,
    subnets,
    internal: options['com.docker.network.internal'] === true,
    ipv4: list(body, 'IPv4Data').length > 0,
    ipv6: options['com.docker.network.enable_ipv6'] === true,
    attachable: false,
    options: texts(options, 'com.docker.network.generic'),
    labels: {},
  };
}

/** The pool 0.0.0.0/0 is what Docker's "null" IPAM answers: no subnet at all. */
function subnetOf(data: Body): readonly Subnet[] {
  const cidr = text(data, 'Pool');
  if (cidr === '' || /^(0\.0\.0\.0|::)\/0$/.test(cidr)) return [];
  const gateway = bare(text(data, 'Gateway'));
  const aux = Object.entries(texts(data, 'AuxAddresses')).map(([name, address]) => [name, bare(address)] as const);
  return [
    {
      cidr,
      ...(gateway === '' ? {} : { gateway }),
      ...(aux.length === 0 ? {} : { aux: Object.fromEntries(aux) }),
    },
  ];
}

/** Docker's `CreateEndpoint`, which comes before it is known which container it is for. */
export function endpointOf(body: Body): Endpoint {
  const id = given(body, 'EndpointID');
  const asked = object(body, 'Interface');
  const mac = text(asked, 'MacAddress');
  return {
    attachmentId: id.slice(0, 64),
    containerId: '',
    containerName: '',
    hostname: '',
    aliases: [],
    ...(mac === '' ? {} : { mac }),
    addresses: ['Address', 'AddressIPv6'].map((name) => text(asked, name)).filter((address) => address !== ''),
    options: {},
  };
}

/** What `CreateEndpoint` answers: only what it was not given, since Docker takes anything else for a contradiction. */
export function interfaceOf({ mac, addresses }: EndpointPlan, endpoint: Endpoint): Body {
  const chosen = ([4, 6] as const).flatMap((family) => {
    const isOf = (address: string): boolean => parseCidr(address)?.family === family;
    const mine = addresses.find(isOf);
    if (mine === undefined || endpoint.addresses.some(isOf)) return [];
    return [[family === 4 ? 'Address' : 'AddressIPv6', mine] as const];
  });
  return { ...Object.fromEntries(chosen), ...(endpoint.mac === undefined && mac !== undefined ? { MacAddress: mac } : {}) };
}

/** What `Join` answers; `linkName`: the interface in the machine's namespace that Docker is to move. */
export function joinAnswer({ link, routes, gateway, gateway6 }: EndpointPlan, linkName: string): Body {
  const ways = routes.filter(({ to }) => parseCidr(to)?.length !== 0);
  const hasWayOut = gateway !== undefined || gateway6 !== undefined;
  return {
    ...(link.kind === 'none' ? {} : { InterfaceName: { SrcName: linkName, DstPrefix: link.name.replace(/%d$|\d+$/, '') || 'eth' } }),
    ...(gateway === undefined ? {} : { Gateway: gateway }),
    ...(gateway6 === undefined ? {} : { GatewayIPv6: gateway6 }),
    StaticRoutes: ways.map(routeOf),
    // Otherwise Docker would give the container a second network to get out by.
    DisableGatewayService: !hasWayOut,
  };
}

/** `not_implemented`, naming it, for a part of a plan for which Docker's protocol has no words. */
export function checkEndpoint({ link, neighbours = [] }: EndpointPlan): void {
  if (neighbours.length > 0) throw notImplemented("the driver plans neighbours, for which Docker's plugin protocol has no words");
  if (!['veth', 'macvlan', 'ipvlan', 'dummy', 'existing', 'none'].includes(link.kind))
    throw invalidArgument(`a ${link.kind} belongs to a network, not to a container`);
}

function routeOf({ to, via }: Route): Body {
  return via === undefined ? { Destination: to, RouteType: 1 } : { Destination: to, RouteType: 0, NextHop: via };
}

function bare(address: string): string {
  return address.replace(/\/\d+$/, '');
}
