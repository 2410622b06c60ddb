import type { ContainerConfig, HostConfig } from '@gantry/sdk/engine';
import { conflict, GantryError, invalidArgument } from '@gantry/sdk';
import { shortId } from '../../support/index.ts';
import { exposedPorts, type ExposedPort } from '../ports/port-wishes.ts';
import { parseLink } from '../endpoints/wishes.ts';

/** A container that another one names in its links, as it is on the default network. */
export interface LinkTarget {
  readonly id: string;
  readonly name: string;
  readonly config: ContainerConfig;
  readonly running: boolean;
  readonly address: string | undefined;
}

/** The --link of the default network: lines for /etc/hosts and variables, in Docker's form. A target that does not run is a `conflict`. */
export function linkLines(
  self: { readonly name: string; readonly hostConfig: HostConfig },
  find: (container: string) => LinkTarget,
): { readonly hostsEntries: readonly string[]; readonly env: readonly string[] } {
  const links = (self.hostConfig.Links ?? []).map((text) => {
    const { target, alias } = parseLink(text);
    return { alias, target: found(find, target) };
  });
  return {
    hostsEntries: links.map(
      ({ alias, target }) => `${target.address}\t${[...new Set([alias, shortId(target.id), target.name])].join(' ')}`,
    ),
    env: links.flatMap(({ alias, target }) => variables(self.name, alias, target)),
  };
}

function found(find: (container: string) => LinkTarget, name: string): LinkTarget & { readonly address: string } {
  const target = lookUp(find, name);
  if (!target.running || target.address === undefined) {
    throw conflict(`cannot link to a non running container: /${target.name} AS ${name}`);
  }
  return { ...target, address: target.address };
}

function lookUp(find: (container: string) => LinkTarget, name: string): LinkTarget {
  try {
    return find(name);
  } catch (error) {
    if (GantryError.is(error) && error.code === 'not_found') {
      throw invalidArgument(`could not get container for ${name}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

function variables(self: string, alias: string, target: LinkTarget & { readonly address: string }): readonly string[] {
  const prefix = alias.replaceAll('-', '_').toUpperCase();
  const ports = exposedPorts(target.config).toSorted((a, b) => a.containerPort - b.containerPort || a.protocol.localeCompare(b.protocol));
  const url = ({ protocol, containerPort }: ExposedPort) => `${protocol}://${target.address}:${containerPort}`;
  const perPort = ports.flatMap((port) => {
    const name = `${prefix}_PORT_${port.containerPort}_${port.protocol.toUpperCase()}`;
    return [
      `${name}=${url(port)}`,
      `${name}_ADDR=${target.address}`,
      `${name}_PORT=${port.containerPort}`,
      `${name}_PROTO=${port.protocol}`,
    ];
  });
  const theirs = (target.config.Env ?? []).filter((variable) => /^[^=]+=/.test(variable) && !/^(HOME|PATH)=/.test(variable));
  return [
    `${prefix}_NAME=/${self}/${alias}`,
    ...(ports[0] === undefined ? [] : [`${prefix}_PORT=${url(ports[0])}`]),
    ...perPort,
    ...theirs.map((variable) => `${prefix}_ENV_${variable}`),
  ];
}
