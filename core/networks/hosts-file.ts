import { invalidArgument } from '@gantry/sdk';
import type { ContainerConfig } from '@gantry/sdk/engine';
import { shortId } from '../support/index.ts';

/** --add-host NAME:ADDRESS (or NAME=ADDRESS), with `host-gateway` standing for the machine as seen from the container. */
export function extraHostLines(extraHosts: readonly string[], hostGateway: () => string | undefined): readonly string[] {
  return extraHosts.map((text) => {
    const [, name = '', wished = ''] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
    if (name === '') throw invalidArgument(`bad format for add-host: ${JSON.stringify(text)}`);
    const address = wished === 'host-gateway' ? hostGateway() : wished.replace(/^\[(.*)\]$/, '$1');
    if (address === undefined) throw invalidArgument('unable to derive the IP value for host-gateway');
    return `${address}\t${name}`;
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
