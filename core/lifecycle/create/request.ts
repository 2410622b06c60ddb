import { GantryError, invalidArgument, messageOf } from '@gantry/sdk';
import type { ContainerConfig, CreateContainer, EndpointConfig, HostConfig } from '@gantry/sdk/engine';
import { isDescribing } from '@gantry/sdk/exec';
import { parsePlatform } from '../../images/index.ts';
import { wantedDevices } from '../device-requests/index.ts';
import { hostLimits } from '../host.ts';
import { mergeConfig } from '../merge-config.ts';
import type { ExecChoice } from '../model.ts';
import type { Room } from '../room.ts';
import type { ContainerImage } from '../types.ts';
import { hostAbilities } from '../start/cgroups.ts';
import { checkConfig, checkIdMaps, checkHostConfig, type WantedMount, wantedMounts, withoutUnsupported } from '../validate/index.ts';
import { checkUserNamespace, wantedIdMaps } from '../user-namespace.ts';
import { inheritedMounts } from './volumes-from.ts';
import { withDefaults } from './defaults.ts';

/** A request that can be carried out as far as can be known without making anything. */
export interface CheckedRequest {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networks: Readonly<Record<string, EndpointConfig>>;
  readonly platform: string;
  readonly wanted: readonly WantedMount[];
  readonly log: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly exec: ExecChoice;
  readonly warnings: readonly string[];
}

/** Merges the request with its image and checks all of it; `invalid_argument` names the first thing that is wrong. */
export async function checkRequest(room: Room, request: CreateContainer, image: ContainerImage): Promise<CheckedRequest> {
  const config = mergeConfig(request.config, image.config.config ?? {});
  checkConfig(config);
  const { resources: asked, warnings } = withoutUnsupported(
    withDefaults(withoutNetwork(config, request.hostConfig), room.parts),
    hostAbilities(),
  );
  checkHostConfig(asked, request.config, hostLimits());
  const hasUserns = wantedIdMaps(asked, room.parts.defaults) !== undefined;
  if (hasUserns) checkUserNamespace(asked);
  wantedDevices(asked, room.parts.defaults?.cdiFolders);
  const wanted = [...wantedMounts(config, asked)];
  wanted.push(...inheritedMounts(room, asked, wanted));
  checkIdMaps(wanted, { hasUserns });
  const networks = room.parts.networks.validate({ name: request.name ?? '', config, hostConfig: asked, networks: request.networks ?? {} });
  const log = { driver: asked.LogConfig?.Type ?? '', options: asked.LogConfig?.Config ?? {} };
  checkLinks(room, asked);
  const [{ runtime, exec }] = await Promise.all([
    chooseRuntime(room, asked),
    asBadRequest(room.parts.logs.validate(log.driver, log.options)),
  ]);
  const hostConfig = { ...asked, Runtime: runtime };
  const platform = request.platform || image.config.os || 'linux';
  return { config, hostConfig, networks, platform, wanted, log, exec, warnings: [...warnings, ...warningsOf(hostConfig)] };
}

/** `NetworkDisabled` is how clients said it before networks had names. */
function withoutNetwork({ NetworkDisabled }: ContainerConfig, hostConfig: HostConfig): HostConfig {
  const { NetworkMode = '' } = hostConfig;
  return NetworkDisabled === true && ['', 'default', 'bridge'].includes(NetworkMode) ? { ...hostConfig, NetworkMode: 'none' } : hostConfig;
}

/** `--storage-opt size=…`, in bytes. */
export function storageQuota({ StorageOpt }: HostConfig): { readonly quotaBytes?: number } {
  const { size, ...unknown } = StorageOpt ?? {};
  const [other] = Object.keys(unknown);
  if (other !== undefined) throw invalidArgument(`unknown option for storage-opt: ${other}`);
  if (size === undefined) return {};
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?$/i.exec(size) ?? [];
  if (number === '') throw invalidArgument(`invalid size: '${size}'`);
  return { quotaBytes: Math.floor(Number(number) * 1024 ** ' kmgtp'.indexOf(unit.toLowerCase() || ' ')) };
}

/** A container that asks for what is not there is a bad request, not a missing container. */
async function asBadRequest(checked: Promise<void>): Promise<void> {
  await checked.catch((error: unknown) => {
    throw GantryError.is(error) && error.code === 'not_found' ? invalidArgument(error.message, { hint: error.hint, cause: error }) : error;
  });
}

function checkLinks(room: Room, { Links }: HostConfig): void {
  for (const link of Links ?? []) {
    const [name = ''] = link.split(':');
    try {
      room.store.find(name);
    } catch (error) {
      throw invalidArgument(`could not get container for ${name}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/**
 * The wished runtime, else the default one; empty when there is none to be had, which the start will tell. A name that the default driver does
 * not know may be another exec driver's.
 */
async function chooseRuntime(
  room: Room,
  { Runtime: name = '' }: HostConfig,
): Promise<{ readonly runtime: string; readonly exec: ExecChoice }> {
  const { drivers } = room.parts;
  const driver = room.defaultDriver();
  const { usable } = await (await room.driverNamed(driver)).runtimes({}, room.context());
  if (name === '') return { runtime: usable[0]?.name ?? '', exec: { driver } };
  if (usable.some((runtime) => runtime.name === name)) return { runtime: name, exec: { driver } };
  if (name === driver || !drivers.has('exec', name)) throw invalidArgument(`unknown or invalid runtime name: ${name}`);
  const other = await drivers.get('exec', name);
  return { runtime: name, exec: isDescribing(other) ? { driver, describedBy: name } : { driver: name } };
}

/** The platform that is asked for; '' none. `invalid_argument` for one that cannot be had here. */
export function checkedPlatform({ platform = '' }: Pick<CreateContainer, 'platform'>): string {
  const parts = platform === '' ? [] : platform.split('/');
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) {
    throw invalidArgument(`"${platform}": cannot parse platform specifier: invalid argument`);
  }
  if (platform !== '') parsePlatform(platform);
  return platform;
}

function warningsOf({ Privileged, CapAdd }: HostConfig): readonly string[] {
  if (Privileged === true && (CapAdd ?? []).length > 0) return ['CapAdd has no effect on a privileged container'];
  return [];
}
