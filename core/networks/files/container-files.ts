import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { messageOf } from '@gantry/sdk';
import type { EndpointRecord } from '../documents.ts';
import { extraHostLines, ownLines } from './hosts-file.ts';
import { linkLines, type LinkTarget } from './links.ts';
import { defaultNetwork } from '../life/predefined.ts';
import { copiedResolvConf, embeddedResolvConf, formatResolvConf, isUntouched, wishedResolvConf } from './resolv-conf.ts';
import type { Tools } from '../tools.ts';
import type { NetworkedContainer, Sandbox } from '../types.ts';
import { networkMode } from '../endpoints/wishes.ts';

/** /etc/resolv.conf, the lines for /etc/hosts and the variables that a container gets from its networks. */
export function containerFiles(
  tools: Tools,
  container: NetworkedContainer,
  records: readonly EndpointRecord[],
): Pick<Sandbox, 'hostsEntries' | 'resolvConf' | 'env'> {
  const { books } = tools;
  const isOnDefault = records.some(({ networkId }) => books.byId(networkId)?.name === defaultNetwork);
  const links = isOnDefault ? linkLines(container, (name) => linkTarget(tools, name)) : { hostsEntries: [], env: [] };
  const gateway = () => {
    const { hostGatewayIps = [] } = tools.defaults;
    const own = records.flatMap(({ document }) => document.plan?.gateway ?? []);
    return hostGatewayIps.length > 0 ? hostGatewayIps : own.slice(0, 1);
  };
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

const mostBytes = 65_536;

/** After a running container came to or left a network: its name servers change with it, unless the container has put its own in their place. */
export function refreshResolvConf(tools: Tools, container: NetworkedContainer): void {
  const { resolvConfPath: path } = tools.users().find(container.id);
  try {
    if (statSync(path).size > mostBytes) return;
    const [before, after] = [readFileSync(path, 'utf8'), resolvConf(tools, container, tools.books.endpointsOf(container.id))];
    // In place: the file is mounted into the container.
    if (before !== after && isUntouched(before)) writeFileSync(path, after);
  } catch (error) {
    tools.log.warn({ container: container.id, reason: messageOf(error) }, 'could not renew the resolv.conf of a running container');
  }
}

function resolvConf({ books, defaults }: Tools, { hostConfig }: NetworkedContainer, records: readonly EndpointRecord[]): string {
  const isShared = networkMode(hostConfig).kind === 'host';
  const conf = wishedResolvConf(hostConfig, { defaults, behindStub: !isShared });
  if (isShared) return formatResolvConf(conf);
  const hasNames = records.some(({ networkId }) => books.byId(networkId)?.document.isPredefined === false);
  const isOverridden = [...(hostConfig.Dns ?? []), ...(defaults.dns ?? [])].length > 0;
  return formatResolvConf(hasNames ? embeddedResolvConf(conf) : copiedResolvConf(conf, { isOverridden }));
}

function linkTarget({ users, books }: Tools, name: string): LinkTarget {
  const target = users().find(name);
  const endpoint = books.endpointsOf(target.id).find(({ networkId }) => books.byId(networkId)?.name === defaultNetwork);
  return { ...target, address: endpoint?.document.addresses[0]?.split('/')[0] };
}
