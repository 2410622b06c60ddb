import type { HostConfig } from '@gantry/sdk/engine';
import type { IdMaps, IdRange } from '@gantry/sdk/linux';
import { unlimited } from '@gantry/sdk/exec';
import type { SecurityOptions } from '../validate/index.ts';
import { effectiveCapabilities } from './capabilities.ts';
import { containerDevices, placedDevices } from './devices.ts';
import { type DefaultMounts, defaultMounts, type SpecMount } from './mounts.ts';
import { namespaces, type NamespaceChoice } from './namespaces.ts';
import { maskedPaths, readonlyPaths } from './paths.ts';
import { linuxResources } from './resources.ts';
import { seccompProfile } from './seccomp/profile.ts';
import type { ProcessUser } from './user.ts';

export { effectiveCapabilities } from './capabilities.ts';
export { type HostDevice, placedDevices } from './devices.ts';
export type { SpecMount } from './mounts.ts';
export type { NamespaceChoice } from './namespaces.ts';
export { type ProcessUser, resolveUser } from './user.ts';

export interface SpecProcess {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly tty: boolean;
  readonly user: ProcessUser;
  readonly consoleSize?: readonly [number, number];
}
export interface SpecRequest {
  readonly rootfs: string;
  readonly process: SpecProcess;
  readonly hostConfig: HostConfig;
  readonly security: SecurityOptions;
  readonly hostname: string;
  readonly domainname: string;
  readonly namespaces: {
    readonly network: NamespaceChoice;
    readonly ipc: NamespaceChoice;
    readonly pid: NamespaceChoice;
    readonly uts: NamespaceChoice;
    readonly cgroup: NamespaceChoice;
  };
  readonly cgroupsPath: string;
  readonly cgroupVersion: 1 | 2;
  /** Path and maps of its user namespace, when it has one of its own. */
  readonly userns?: { readonly path: string; readonly maps: IdMaps };
  readonly shmPath?: string;
  /** Files of the engine, volumes, binds and tmpfs, sorted so that parents come first. */
  readonly mounts: readonly SpecMount[];
  /** Destinations of mounts take the place of default ones. */
  readonly rootPropagation?: string;
}

/** config.json, as far as it is read again. */
export interface Spec {
  readonly [field: string]: unknown;
  readonly process: Readonly<Record<string, unknown>>;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly mounts: readonly SpecMount[];
}

const defaultShmSize = 64 * 2 ** 20;

/** config.json of a container: OCI runtime spec 1.0.2, with Docker's defaults. Pure but for looking up host devices. */
export function ociSpec(request: SpecRequest): Spec {
  const { hostConfig, security, namespaces: chosen, userns } = request;
  const privileged = hostConfig.Privileged === true;
  const { devices, rules } = containerDevices(hostConfig);
  const placed = placedDevices(devices, { hasUserns: userns !== undefined });
  const unmasked = privileged || security.unmaskSystemPaths;
  const capabilities = effectiveCapabilities({ privileged, add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [] });
  const seccomp = seccompOf(security, privileged, capabilities);
  return {
    ociVersion: '1.0.2',
    process: processSpec(request.process, { capabilities, security, hostConfig }),
    root: { path: request.rootfs, readonly: hostConfig.ReadonlyRootfs === true },
    // With the host's UTS namespace a hostname would rename the host.
    ...(chosen.uts === 'host'
      ? {}
      : { hostname: request.hostname, ...(request.domainname === '' ? {} : { domainname: request.domainname }) }),
    mounts: [...allMounts(request, privileged), ...placed.mounts],
    linux: {
      namespaces: [...namespaces(chosen), ...(userns === undefined ? [] : [{ type: 'user', path: userns.path }])],
      ...(userns && { uidMappings: userns.maps.uids.map(specMap), gidMappings: userns.maps.gids.map(specMap) }),
      devices: placed.nodes,
      cgroupsPath: request.cgroupsPath,
      resources: linuxResources(hostConfig, rules),
      sysctl: sysctls(request),
      maskedPaths: hostConfig.MaskedPaths ?? (unmasked ? [] : maskedPaths),
      readonlyPaths: hostConfig.ReadonlyPaths ?? (unmasked ? [] : readonlyPaths),
      rootfsPropagation: request.rootPropagation ?? 'rprivate',
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  };
}

/** `process` alone, which an exec needs too. */
export function processSpec(
  { args, env, cwd, tty, user, consoleSize }: SpecProcess,
  {
    capabilities,
    security,
    hostConfig,
  }: { readonly capabilities: readonly string[]; readonly security: SecurityOptions; readonly hostConfig: HostConfig },
): Readonly<Record<string, unknown>> {
  // A user other than root keeps no capabilities but those in the bounding set; inheritable and ambient stay empty (CVE-2022-24769).
  const held = user.uid === 0 ? capabilities : [];
  return {
    terminal: tty,
    ...(tty && consoleSize !== undefined && consoleSize[0] > 0 ? { consoleSize: { height: consoleSize[0], width: consoleSize[1] } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids, umask: 0o022 },
    args,
    env,
    cwd,
    capabilities: { bounding: capabilities, effective: held, permitted: held, inheritable: [], ambient: [] },
    rlimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      type: `RLIMIT_${Name.toUpperCase()}`,
      soft: limit(Soft),
      hard: limit(Hard),
    })),
    noNewPrivileges: security.noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
    ...(security.appArmor === undefined ? {} : { apparmorProfile: security.appArmor }),
  };
}

const limit = (value: number) => (value < 0 ? unlimited : value);

/** The kernel takes only groups that the user namespace has. */
function lastGroup(maps: IdMaps | undefined): number {
  if (maps === undefined) return 2 ** 31 - 1;
  return (maps.gids.find(({ inside }) => inside === 0)?.size ?? 1) - 1;
}

const specMap = ({ inside, outside, size }: IdRange) => ({ containerID: inside, hostID: outside, size });

function seccompOf(security: SecurityOptions, privileged: boolean, capabilities: readonly string[]): unknown {
  if (security.seccomp === 'unconfined' || (privileged && security.seccomp === undefined)) return undefined;
  return typeof security.seccomp === 'object' ? security.seccomp.profile : seccompProfile(capabilities);
}

function allMounts(
  { hostConfig, namespaces: { network, ipc, pid }, cgroupVersion, shmPath, mounts, userns }: SpecRequest,
  privileged: boolean,
): readonly SpecMount[] {
  const settings: DefaultMounts = {
    privileged,
    cgroupVersion,
    hostNetwork: network === 'host',
    hostIpc: ipc === 'host',
    hasShm: hostConfig.IpcMode !== 'none',
    hostPid: pid === 'host',
    hasUserns: userns !== undefined,
    shmSize: hostConfig.ShmSize || defaultShmSize,
    ...(shmPath === undefined ? {} : { shmPath }),
  };
  const replaced = new Set(mounts.map(({ destination }) => destination));
  return [...defaultMounts(settings).filter(({ destination }) => !replaced.has(destination)), ...mounts];
}

/** Docker's own two, so that ping and ports below 1024 work without privileges, then the user's. */
function sysctls({ hostConfig, namespaces: { network }, userns }: SpecRequest): Readonly<Record<string, string>> {
  const ours =
    network === 'new' || typeof network === 'object'
      ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': `0 ${lastGroup(userns?.maps)}` }
      : {};
  return { ...ours, ...hostConfig.Sysctls };
}
