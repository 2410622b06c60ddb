import { invalidArgument } from '@gantry/sdk';
import type { EndpointConfig, HostConfig } from '@gantry/sdk/engine';
import { parseAddress } from '@gantry/sdk/network';
import { isLinkName, isMac } from '../../execute/index.ts';
import { parsePortBindings } from '../ports/port-wishes.ts';
import { defaultNetwork } from '../life/predefined.ts';
import type { NetworkedContainer } from '../types.ts';

/** How a container gets its network namespace: HostConfig.NetworkMode, read. */
export type NetworkMode =
  | { readonly kind: 'host' }
  | { readonly kind: 'none' }
  | { readonly kind: 'container'; readonly container: string }
  | { readonly kind: 'networks'; readonly primary: string };

export function networkMode({ NetworkMode: mode = '' }: HostConfig): NetworkMode {
  if (mode === 'host' || mode === 'none') return { kind: mode };
  if (mode.startsWith('container:')) return { kind: 'container', container: mode.slice('container:'.length) };
  return { kind: 'networks', primary: mode === '' || mode === 'default' ? defaultNetwork : mode };
}

/** The wished networks by name or id, the one of the mode first. */
export function wishedNetworks(
  container: Pick<NetworkedContainer, 'hostConfig' | 'networks'>,
): readonly (readonly [string, EndpointConfig])[] {
  const mode = networkMode(container.hostConfig);
  if (mode.kind === 'container') return [];
  const primary = mode.kind === 'networks' ? mode.primary : mode.kind;
  const others = Object.entries(container.networks).map(([name, config]) => [name === 'default' ? defaultNetwork : name, config] as const);
  const first = others.find(([name]) => name === primary);
  // What was disconnected stays so: the mode's network counts only while nothing else is recorded.
  if (first === undefined && others.length > 0 && mode.kind === 'networks') return others;
  return [first ?? ([primary, {}] as const), ...others.filter((other) => other !== first)];
}

/** Checks what can be checked without asking anybody: modes, ports, addresses, in Docker's words. */
export function checkWishes({ config, hostConfig, networks }: Pick<NetworkedContainer, 'config' | 'hostConfig' | 'networks'>): void {
  const mode = networkMode(hostConfig);
  parsePortBindings(hostConfig.PortBindings ?? {});
  for (const [name, endpoint] of Object.entries(networks)) checkEndpointConfig(endpoint ?? {}, name);
  if (config.MacAddress && !isMac(config.MacAddress)) throw invalidArgument(`invalid MAC address: ${config.MacAddress}`);
  if (mode.kind === 'host' && (hostConfig.Links ?? []).length > 0) {
    throw invalidArgument("conflicting options: host type networking can't be used with links. This would result in undefined behavior");
  }
  if (mode.kind === 'container') checkShared(mode.container, { config, hostConfig });
  const plural = Object.keys(networks).length > 1 && mode.kind !== 'networks';
  if (plural) throw invalidArgument('conflicting options: cannot attach user-defined network to non-user-defined network-mode');
}

export function checkEndpointConfig({ MacAddress = '', IPAMConfig, DriverOpts, Links, Aliases }: EndpointConfig, network: string): void {
  if (MacAddress !== '' && !isMac(MacAddress)) throw invalidArgument(`invalid endpoint settings:\ninvalid MAC address: ${MacAddress}`);
  checkFamily(IPAMConfig?.IPv4Address, 4, network);
  checkFamily(IPAMConfig?.IPv6Address, 6, network);
  for (const address of IPAMConfig?.LinkLocalIPs ?? []) {
    if (parseAddress(address) === undefined) throw invalidArgument(`invalid endpoint settings:\ninvalid link-local IP address: ${address}`);
  }
  const ifname = DriverOpts?.[ifnameOption];
  if (ifname !== undefined && !isLinkName(ifname)) throw invalidArgument(`invalid endpoint settings:\n"${ifname}" is no interface name`);
  parseSysctls(DriverOpts?.[sysctlsOption] ?? '');
  for (const link of Links ?? []) parseLink(link);
  for (const alias of Aliases ?? [])
    if (/[\s\0]/.test(alias) || alias.length > 253) throw invalidArgument(`invalid network alias ${JSON.stringify(alias)}`);
}

export const ifnameOption = 'com.docker.network.endpoint.ifname';

export const sysctlsOption = 'com.docker.network.endpoint.sysctls';

/** "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.IFNAME.accept_ra=2": of the container's own interface, and of nothing else. */
export function parseSysctls(text: string): Readonly<Record<string, string>> {
  const settings = text.split(',').filter((setting) => setting.trim() !== '');
  return Object.fromEntries(
    settings.map((setting) => {
      const [, key = '', value = ''] = /^\s*(net\.\w+\.\w+\.IFNAME\.\w+)\s*=\s*([\w .:/-]{1,256})$/.exec(setting) ?? [];
      if (key === '') {
        throw invalidArgument(`invalid endpoint settings:\nsysctl ${JSON.stringify(setting)} is not net.X.Y.IFNAME.Z=value`);
      }
      return [key, value] as const;
    }),
  );
}

/** "name" or "name:alias". */
export function parseLink(text: string): { readonly target: string; readonly alias: string } {
  const [target = '', alias = target, ...rest] = text.split(':');
  if (target === '' || alias === '' || rest.length > 0) throw invalidArgument(`bad format for links: ${text}`);
  return { target: target.replace(/^\//, ''), alias: alias.replace(/^.*\//, '') };
}

function checkFamily(text: string | undefined, family: 4 | 6, network: string): void {
  if (text === undefined || text === '' || parseAddress(text)?.family === family) return;
  throw invalidArgument(`invalid endpoint settings:\ninvalid IPv${family} address: ${text}`, { facts: { network } });
}

function checkShared(target: string, { config, hostConfig }: Pick<NetworkedContainer, 'config' | 'hostConfig'>): void {
  if (target === '') throw invalidArgument('Invalid network mode: invalid container format container:<name|id>');
  const conflicts: readonly (readonly [boolean, string])[] = [
    [(config.Hostname ?? '') !== '', 'hostname and the network mode'],
    [(hostConfig.Links ?? []).length > 0, "container type network can't be used with links. This would result in undefined behavior"],
    [(hostConfig.Dns ?? []).length > 0, 'dns and the network mode'],
    [(hostConfig.ExtraHosts ?? []).length > 0, 'custom host-to-IP mapping and the network mode'],
    [(config.MacAddress ?? '') !== '', 'mac-address and the network mode'],
    [
      Object.keys(hostConfig.PortBindings ?? {}).length > 0 || hostConfig.PublishAllPorts === true,
      'port publishing and the container type network mode',
    ],
    [Object.keys(config.ExposedPorts ?? {}).length > 0, 'port exposing and the container type network mode'],
  ];
  const found = conflicts.find(([isConflict]) => isConflict);
  if (found !== undefined) throw invalidArgument(`conflicting options: ${found[1]}`);
}
