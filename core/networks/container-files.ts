import type { EndpointRecord } from './documents.ts';
import { extraHostLines, ownLines } from './hosts-file.ts';
import { linkLines, type LinkTarget } from './links.ts';
import { defaultNetwork } from './predefined.ts';
import { copiedResolvConf, embeddedResolvConf, formatResolvConf, hostResolvConf, withWishes } from './resolv-conf.ts';
import type { Tools } from './tools.ts';
import type { NetworkedContainer, Sandbox } from './types.ts';
import { networkMode } from './wishes.ts';

/** /etc/resolv.conf, the lines for /etc/hosts and the variables that a container gets from its networks. */
export function containerFiles(
  tools: Tools,
  container: NetworkedContainer,
  records: readonly EndpointRecord[],
): Pick<Sandbox, 'hostsEntries' | 'resolvConf' | 'env'> {
  const { books } = tools;
  const isOnDefault = records.some(({ networkId }) => books.byId(networkId)?.name === defaultNetwork);
  const links = isOnDefault ? linkLines(container, (name) => linkTarget(tools, name)) : { hostsEntries: [], env: [] };
  const gateway = () => records.map(({ document }) => document.plan?.gateway).find((address) => address !== undefined);
  const addresses = records.filter(({ document }) => document.ifname !== '').flatMap(({ document }) => document.addresses);
  return {
    hostsEntries: [
      ...extraHostLines(container.hostConfig.ExtraHosts ?? [], gateway),
      ...links.hostsEntries,
      ...ownLines(addresses, container),
    ],
    resolvConf: resolvConf(tools, container, records),
    env: links.env,
  };
}

function resolvConf({ books }: Tools, { hostConfig }: NetworkedContainer, records: readonly EndpointRecord[]): string {
  const isShared = networkMode(hostConfig).kind === 'host';
  const conf = withWishes(hostResolvConf({ behindStub: !isShared }), hostConfig);
  if (isShared) return formatResolvConf(conf);
  const hasNames = records.some(({ networkId }) => books.byId(networkId)?.document.isPredefined === false);
  return formatResolvConf(
    hasNames ? embeddedResolvConf(conf) : copiedResolvConf(conf, { isOverridden: (hostConfig.Dns ?? []).length > 0 }),
  );
}

function linkTarget({ users, books }: Tools, name: string): LinkTarget {
  const target = users().find(name);
  const endpoint = books.endpointsOf(target.id).find(({ networkId }) => books.byId(networkId)?.name === defaultNetwork);
  return { ...target, address: endpoint?.document.addresses[0]?.split('/')[0] };
}
