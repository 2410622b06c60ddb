import { conflict, invalidArgument } from '@gantry/sdk';
import type { HostConfig, PortBinding, UpdateContainer } from '@gantry/sdk/engine';

type PortMap = NonNullable<UpdateContainer['PublishAdd']>;

/**
 * A container's port bindings after a change of them; undefined when none is asked for. Whatever a removal leaves open (address, host port)
 * is anything. What is not there, or there already, is a `conflict` that names it.
 */
export function changedBindings(
  { name, hostConfig }: { readonly name: string; readonly hostConfig: HostConfig },
  { PublishAdd, PublishRemove }: { readonly PublishAdd: PortMap | null | undefined; readonly PublishRemove: PortMap | null | undefined },
): PortMap | undefined {
  const added = entriesOf(PublishAdd);
  const removed = entriesOf(PublishRemove);
  if (added.length + removed.length === 0) return undefined;
  const bindings = new Map(Object.entries(hostConfig.PortBindings ?? {}).map(([port, list]) => [port, orAny(list)]));
  for (const [port, wanted] of removed) {
    const before = bindings.get(port) ?? [];
    const after = before.filter((binding) => !stands(wanted, binding));
    if (after.length === before.length) throw notPublished(name, { port, wanted, hostConfig });
    if (after.length === 0) bindings.delete(port);
    else bindings.set(port, after);
  }
  for (const [port, wanted] of added) {
    const before = bindings.get(port) ?? [];
    if (before.some((binding) => isSame(binding, wanted)))
      throw conflict(`port ${shown(port, wanted)} of container ${name} is published already`);
    bindings.set(port, [...before, wanted]);
  }
  return Object.fromEntries(bindings);
}

function entriesOf(ports: PortMap | null | undefined): readonly (readonly [string, PortBinding])[] {
  return Object.entries(ports ?? {}).flatMap(([key, list]) => {
    if (key === '') throw invalidArgument('invalid port specification: ""');
    const port = key.includes('/') ? key.toLowerCase() : `${key}/tcp`;
    return orAny(list).map((binding) => [port, binding] as const);
  });
}

/** No bindings mean one on every address and a port that the engine chooses. */
function orAny(list: readonly PortBinding[] | null): readonly PortBinding[] {
  return list === null || list.length === 0 ? [{}] : list;
}

function stands({ HostIp = '', HostPort = '' }: PortBinding, other: PortBinding): boolean {
  return (HostIp === '' || HostIp === (other.HostIp ?? '')) && (HostPort === '' || HostPort === (other.HostPort ?? ''));
}

function isSame(one: PortBinding, other: PortBinding): boolean {
  // Two that the engine chooses are two ports.
  return (other.HostPort ?? '') !== '' && stands(one, other) && stands(other, one);
}

function notPublished(
  name: string,
  { port, wanted, hostConfig }: { readonly port: string; readonly wanted: PortBinding; readonly hostConfig: HostConfig },
): Error {
  const hint = hostConfig.PublishAllPorts === true ? 'exposed ports of this container are published all (-P)' : undefined;
  return conflict(`port ${shown(port, wanted)} of container ${name} is not published`, hint === undefined ? {} : { hint });
}

function shown(port: string, { HostIp = '', HostPort = '' }: PortBinding): string {
  const address = HostIp.includes(':') ? `[${HostIp}]` : HostIp;
  if (address === '' && HostPort === '') return port;
  return `${address === '' ? '' : `${address}:`}${HostPort}:${port}`;
}
