import { internal } from '@gantry/sdk';
import { type Endpoint, type EndpointPlan, type Link, type Network, parseAddress, parseCidr, type Route } from '@gantry/sdk/network';
import { type Answer, field, listOf, objectOf, textOf } from './answer.ts';

interface Joined {
  readonly network: Network;
  readonly endpoint: Endpoint;
  /** What `CreateEndpoint` answered. */
  readonly created: Answer;
  /** What `Join` answered. */
  readonly joined: Answer;
}

/** The plan that a plugin's answers amount to. What is no name, address or route is the plugin's mistake (`internal`), named. */
export function endpointPlan({ network, endpoint, created, joined }: Joined): EndpointPlan {
  const given = objectOf(created, 'Interface');
  const link = linkOf(objectOf(joined, 'InterfaceName'), endpoint.ifname);
  const mac = macOf(textOf(given, 'MacAddress')) ?? endpoint.mac;
  const [gateway, gateway6] = [gatewayOf(joined, 'Gateway', 4), gatewayOf(joined, 'GatewayIPv6', 6)];
  const ways = network.internal ? [] : [wayOut('0.0.0.0/0', gateway), wayOut('::/0', gateway6)].flat();
  const routes = listOf(joined, 'StaticRoutes').map(routeOf);
  return {
    link,
    ...(mac === undefined ? {} : { mac }),
    addresses: addressesOf(given, endpoint.addresses),
    routes: link.kind === 'none' ? [] : [...routes, ...ways],
    publishable: link.kind !== 'none' && !network.internal && ways.length > 0,
    ...(gateway === undefined ? {} : { gateway }),
    ...(gateway6 === undefined ? {} : { gateway6 }),
  };
}

/** The plugin made the interface in the host's namespace; the engine moves it and gives it its name. */
function linkOf(names: Answer, wished: string | undefined): Link {
  const source = textOf(names, 'SrcName');
  if (source === '') return { kind: 'none', name: '' };
  const name = wished ?? (textOf(names, 'DstName') || `${textOf(names, 'DstPrefix') || 'eth'}%d`);
  return { kind: 'existing', name: checkedName(name, 'DstName'), parent: checkedName(source, 'SrcName') };
}

/** What the engine allocated stays; a plugin may only fill in what it did not. */
function addressesOf(given: Answer, sent: readonly string[]): readonly string[] {
  const answered = (['Address', 'AddressIPv6'] as const).flatMap((name) => {
    const text = textOf(given, name);
    if (text === '') return [];
    const family = name === 'Address' ? 4 : 6;
    if (parseCidr(text)?.family !== family)
      throw internal(`the plugin answered ${name} ${JSON.stringify(text)}, which is no address with its prefix`);
    const mine = sent.find((address) => parseCidr(address)?.family === family);
    if (mine !== undefined && mine !== text) throw internal(`the plugin answered ${name} ${text}, although it was given ${mine}`);
    return mine === undefined ? [text] : [];
  });
  return [...sent, ...answered];
}

function routeOf(route: Answer): Route {
  const [to, via] = [textOf(route, 'Destination'), textOf(route, 'NextHop')];
  if (parseCidr(to) === undefined) throw internal(`the plugin answered a route to ${JSON.stringify(to)}, which is no prefix`);
  // RouteType 1: the destination is on the link itself.
  if (field(route, 'RouteType') === 1 || via === '') return { to, scope: 'link' };
  if (parseAddress(via)?.family !== parseCidr(to)?.family) throw internal(`the plugin answered a route to ${to} by ${JSON.stringify(via)}`);
  return { to, via };
}

function gatewayOf(joined: Answer, name: 'Gateway' | 'GatewayIPv6', family: 4 | 6): string | undefined {
  const text = textOf(joined, name);
  if (text === '') return undefined;
  if (parseAddress(text)?.family !== family) throw internal(`the plugin answered ${name} ${JSON.stringify(text)}, which is no address`);
  return text;
}

function wayOut(to: string, via: string | undefined): readonly Route[] {
  return via === undefined ? [] : [{ to, via }];
}

function macOf(text: string): string | undefined {
  if (text === '') return undefined;
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw internal(`the plugin answered MacAddress ${JSON.stringify(text)}`);
  return text.toLowerCase();
}

/** dev_valid_name() of the kernel; "%d" only where the engine puts it. */
function checkedName(name: string, what: string): string {
  const plain = name.replace(/%d$/, '0');
  if (Buffer.byteLength(plain) <= 15 && /^[^\s/:%]+$/.test(plain) && plain !== '.' && plain !== '..' && plain !== 'lo') return name;
  throw internal(`the plugin answered ${what} ${JSON.stringify(name)}, which no interface can have`);
}
