import { invalidArgument } from '@gantry/sdk';
import type { ContainerConfig } from '@gantry/sdk/engine';
import { shortId } from '../../support/index.ts';

/** --add-host NAME:ADDRESS (or NAME=ADDRESS), with `host-gateway` standing for the machine as seen from the container. */
export function extraHostLines(extraHosts: readonly string[], hostGateway: () => readonly string[]): readonly string[] {
  return extraHosts.flatMap((text) => {
    const [, name = '', wished = ''] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
    if (name === '') throw invalidArgument(`bad format for add-host: ${JSON.stringify(text)}`);
    const addresses = wished === 'host-gateway' ? hostGateway() : [wished.replace(/^\[(.*)\]$/, '$1')];
    if (addresses.length === 0) throw invalidArgument('unable to derive the IP value for host-gateway');
    return addresses.map((address) => `${address}\t${name}`);
  });
}

/** The container's own line: each address with its full name and its short one. */
export function ownLines(
  addresses: readonly string[],
  { id, config }: { readonly id: string; readonly config: ContainerConfig },
): readonly string[] {
  const hostname = config.Hostname || shortId(id);
  const names = config.Domainname ? `${hostname}.${config.Domainname} ${hostname}` : hostname;
  return addresses.map((address) => `${address.split('/')[0]}\t${names}`);
}
