import { invalidArgument } from '../errors.ts';
import { parseAddress, parseCidr } from '../network/addresses.ts';
import type {
  AttachRequest,
  DetachRequest,
  Endpoint,
  EndpointPlan,
  Link,
  Masquerade,
  Network,
  NetworkDriver,
  NetworkPlan,
  Route,
  Subnet,
} from '../network/contract.ts';
import { definePlugin, type PluginModule } from '../plugin.ts';
import type { Ctx } from '../types/index.ts';
import { readOptions } from './check.ts';
import { type About, manifestOf } from './manifest.ts';
import { type Loose, tidy } from './tidy.ts';
import { objectSchema, type NoProperties, type Properties, type PropertiesOf } from './schema.ts';
import { Toolbox, type Tools } from './tools.ts';

type Awaitable<T> = T | Promise<T>;

export interface AuthoredSubnet extends Subnet {
  /** The gateway with the subnet's prefix length; absent without a gateway. */
  readonly gatewayCidr?: string;
  readonly v6: boolean;
}
export interface AuthoredNetwork<O> extends Omit<Network, 'options' | 'subnets'> {
  readonly options: O;
  readonly subnets: readonly AuthoredSubnet[];
}
/** `ifname` is what the user wished, or `eth%d`. */
export type AuthoredEndpoint = Omit<Endpoint, 'ifname'> & { readonly ifname: string };

type NatEntry = Omit<Masquerade, 'exceptOutLink'> & { readonly exceptOutLink?: string; readonly masquerade?: true };
type LooseRoute = Loose<Omit<Route, 'via'>> & { readonly via?: string | undefined };

/** Parts of a network plan; what is left out is derived from the network and the first link. */
export interface AuthoredNetworkPlan extends Loose<Omit<Partial<NetworkPlan>, 'network' | 'links' | 'masquerade'>> {
  readonly links?: readonly Loose<Link, 'addresses'>[];
  readonly nat?: readonly NatEntry[];
}
export interface AuthoredEndpointPlan extends Loose<Omit<Partial<EndpointPlan>, 'link' | 'routes'>> {
  readonly link: Loose<Link, 'addresses'>;
  /** A route whose `via` is undefined is left out. */
  readonly routes?: readonly LooseRoute[];
}

export interface NetworkAuthor<O extends Properties, S extends Properties> extends About<O, S> {
  readonly namespace?: NetworkDriver['namespace'];
  readonly dns?: boolean;
  readonly ipam?: boolean;
  /** Must answer the same for the same network. */
  createNetwork?(network: AuthoredNetwork<PropertiesOf<O>>, tools: Tools<PropertiesOf<S>>): Awaitable<AuthoredNetworkPlan>;
  removeNetwork?(network: AuthoredNetwork<PropertiesOf<O>>, tools: Tools<PropertiesOf<S>>): Awaitable<void>;
  attach(
    network: AuthoredNetwork<PropertiesOf<O>>,
    endpoint: AuthoredEndpoint,
    tools: Tools<PropertiesOf<S>>,
  ): Awaitable<AuthoredEndpointPlan>;
  detach?(network: AuthoredNetwork<PropertiesOf<O>>, request: DetachRequest, tools: Tools<PropertiesOf<S>>): Awaitable<void>;
  readonly check?: (
    network: AuthoredNetwork<PropertiesOf<O>>,
    request: { readonly attachmentId: string; readonly plan: EndpointPlan },
    tools: Tools<PropertiesOf<S>>,
  ) => Awaitable<readonly string[]>;
}

/**
 * A plugin with one network driver, which only plans. The SDK reads the options and fills in what nearly every plan has: isolation of
 * the bridge, the gateways among the routes, no IPv6 where there is none, no way out of an internal network.
 */
export function network<const O extends Properties = NoProperties, const S extends Properties = NoProperties>(
  author: NetworkAuthor<O, S>,
): PluginModule {
  const features = author.check === undefined ? [] : (['check'] as const);
  return definePlugin({
    manifest: manifestOf('network', author, features),
    async activate(host) {
      const toolbox = new Toolbox(host, author.settings);
      return {
        drivers: { network: { [author.name]: authoredDriver(author, toolbox, features) } },
        configure: async (config, secrets) => toolbox.configure(config, secrets),
        selfTest: async () => [toolbox.check()],
      };
    },
  });
}

function authoredDriver<O extends Properties, S extends Properties>(
  author: NetworkAuthor<O, S>,
  toolbox: Toolbox<S>,
  features: NetworkDriver['features'],
): NetworkDriver {
  const schema = objectSchema(author.options);
  const read = (given: Network): AuthoredNetwork<PropertiesOf<O>> => ({
    ...given,
    subnets: given.subnets.map(authoredSubnet),
    options: readOptions(schema, given.options, `network driver ${author.name}`) as PropertiesOf<O>,
  });
  const { check } = author;
  return {
    features,
    namespace: author.namespace ?? 'own',
    dns: author.dns ?? true,
    ipam: author.ipam ?? true,
    createNetwork: async ({ network: given }, ctx) =>
      networkPlan(given, (await author.createNetwork?.(read(given), toolbox.for(ctx))) ?? {}),
    removeNetwork: async ({ network: given }, ctx) => author.removeNetwork?.(read(given), toolbox.for(ctx)),
    attach: async ({ network: given, endpoint }: AttachRequest, ctx: Ctx) => {
      const planned = await author.attach(read(given), { ...endpoint, ifname: endpoint.ifname ?? 'eth%d' }, toolbox.for(ctx));
      return endpointPlan(given, endpoint, planned);
    },
    detach: async (request, ctx) => author.detach?.(read(request.network), request, toolbox.for(ctx)),
    ...(check && {
      check: async ({ network: given, attachmentId, plan }, ctx) => ({
        problems: await check(read(given), { attachmentId, plan }, toolbox.for(ctx)),
      }),
    }),
  };
}

function authoredSubnet(subnet: Subnet): AuthoredSubnet {
  const prefix = parseCidr(subnet.cidr);
  if (prefix === undefined) throw invalidArgument(`subnet ${subnet.cidr} is no prefix such as 10.10.0.0/16`, { reason: 'SUBNET_INVALID' });
  const { gateway } = subnet;
  return { ...subnet, v6: prefix.family === 6, ...(gateway === undefined ? {} : { gatewayCidr: `${gateway}/${prefix.length}` }) };
}

function networkPlan(given: Network, { links = [], nat = [], ...planned }: AuthoredNetworkPlan): NetworkPlan {
  const [first] = links;
  const outLink = first?.name ?? '';
  const isBridge = first?.kind === 'bridge';
  const isolation = { bridge: outLink, internal: given.internal, interContainer: true, subnets: given.subnets.map(({ cidr }) => cidr) };
  return {
    network: given,
    links: links.map(linkOf),
    masquerade: nat.map(({ fromCidr, exceptOutLink = outLink, toAddress }) => tidy<Masquerade>({ fromCidr, exceptOutLink, toAddress })),
    ...(isBridge ? { isolation, sysctls: bridgeSysctls(given) } : {}),
    ...tidy<Partial<NetworkPlan>>(planned),
  };
}

function endpointPlan(
  { internal }: Network,
  { addresses }: Endpoint,
  { link, routes = [], ...planned }: AuthoredEndpointPlan,
): EndpointPlan {
  const ways = routes.filter((route) => !('via' in route) || route.via !== undefined).map((route) => tidy<Route>(route));
  const gateway = ways.find(({ to }) => to === '0.0.0.0/0')?.via;
  const gateway6 = ways.find(({ to }) => to === '::/0')?.via;
  const given = tidy<Partial<EndpointPlan>>(planned);
  const hasV6 = (given.addresses ?? addresses).some((address) => parseAddress(address.split('/')[0] ?? '')?.family === 6);
  return {
    link: linkOf(link),
    addresses,
    routes: ways,
    publishable: !internal,
    ...(link.kind === 'none' ? {} : { sysctls: endpointSysctls(hasV6) }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(gateway6 === undefined ? {} : { gateway6 }),
    ...given,
  };
}

/** Gateways that a subnet does not have are left out of the addresses. */
function linkOf({ addresses, ...link }: Loose<Link, 'addresses'>): Link {
  return tidy<Link>({ ...link, addresses: addresses?.filter((address) => address !== undefined) });
}

/** route_localnet lets the machine's own 127.0.0.1 be answered by a container behind a published port. */
function bridgeSysctls({ ipv6 }: Network): Readonly<Record<string, string>> {
  return {
    'net.ipv4.conf.IFNAME.route_localnet': '1',
    ...(ipv6
      ? { 'net.ipv6.conf.IFNAME.accept_ra': '0', 'net.ipv6.conf.IFNAME.accept_dad': '0' }
      : { 'net.ipv6.conf.IFNAME.disable_ipv6': '1' }),
  };
}

function endpointSysctls(hasV6: boolean): Readonly<Record<string, string>> {
  return hasV6
    ? { 'net.ipv6.conf.IFNAME.accept_ra': '0', 'net.ipv6.conf.IFNAME.accept_dad': '0' }
    : { 'net.ipv6.conf.IFNAME.disable_ipv6': '1' };
}
