import { isIP } from 'node:net';
import { invalidArgument } from '@gantry/sdk';
import type { ContainerConfig, HostConfig, RestartPolicy } from '@gantry/sdk/engine';
import { normaliseCapability } from '../oci-spec/capabilities.ts';
import { checkResources, type HostLimits } from './resources.ts';
import { checkSecurityOptions } from './security.ts';

/** Checks everything of the host configuration but mounts, ports and logs, which have files and rooms of their own. */
export function checkHostConfig(hostConfig: HostConfig, config: ContainerConfig, host: HostLimits): void {
  checkResources(hostConfig, host);
  checkModes(hostConfig, config);
  checkRestartPolicy(hostConfig.RestartPolicy ?? {}, hostConfig.AutoRemove ?? false);
  for (const name of hostConfig.CapAdd ?? []) normaliseCapability(name, 'CapAdd');
  for (const name of hostConfig.CapDrop ?? []) normaliseCapability(name, 'CapDrop');
  checkSecurityOptions(hostConfig.SecurityOpt ?? []);
  for (const [key, value] of Object.entries(hostConfig.Sysctls ?? {})) checkSysctl(key, value, hostConfig);
  checkNames(hostConfig);
  const adjustment = hostConfig.OomScoreAdj ?? 0;
  if (adjustment < -1000 || adjustment > 1000)
    throw invalidArgument(`Invalid value ${adjustment}, range for oom score adj is [-1000, 1000]`);
  const { Isolation = '' } = hostConfig;
  if (!['', 'default'].includes(Isolation.toLowerCase()))
    throw invalidArgument(`invalid isolation: ${JSON.stringify(Isolation)}: linux only supports 'default'`);
  if ((hostConfig.ShmSize ?? 0) < 0) throw invalidArgument('SHM size can not be less than 0');
  for (const key of Object.keys(hostConfig.Annotations ?? {}))
    if (key === '') throw invalidArgument('invalid Annotations: the empty string is not permitted as annotation key');
  const wish = hostConfig.Annotations?.[onUnhealthy];
  if (wish !== undefined && wish !== 'restart')
    throw invalidArgument(`invalid annotation ${onUnhealthy}=${wish}`, { hint: 'the only thing that can be done then is "restart"' });
}

/** Docker has no word for it: with the value "restart" a container is restarted when its healthcheck finds it unhealthy. Not taken from images. */
export const onUnhealthy = 'io.gantry.on-unhealthy';

function checkModes(
  { IpcMode = '', PidMode = '', UTSMode = '', UsernsMode = '', CgroupnsMode = '', NetworkMode = '' }: HostConfig,
  config: ContainerConfig,
): void {
  checkMode(IpcMode, ['', 'none', 'private', 'shareable', 'host'], 'IPC');
  checkMode(PidMode, ['', 'private', 'host'], 'PID');
  if (!['', 'private', 'host'].includes(UTSMode)) throw invalidArgument(`invalid UTS mode: ${UTSMode}`);
  if (!['', 'host'].includes(UsernsMode)) throw invalidArgument(`invalid user namespace mode: ${UsernsMode}`);
  if (!['', 'private', 'host'].includes(CgroupnsMode)) throw invalidArgument(`invalid cgroup namespace mode: ${CgroupnsMode}`);
  const hasOwnHostname = (config.Hostname ?? '') !== '';
  if (UTSMode === 'host' && hasOwnHostname) throw invalidArgument('conflicting options: hostname and the UTS mode');
  if (NetworkMode.startsWith('container:') && hasOwnHostname) throw invalidArgument('conflicting options: hostname and the network mode');
}

function checkMode(mode: string, known: readonly string[], kind: string): void {
  const ofContainer = mode.startsWith('container:') && mode.length > 'container:'.length;
  if (!known.includes(mode) && !ofContainer) throw invalidArgument(`invalid ${kind} mode: ${mode}`);
}

/** Also for updates of a container. */
export function checkRestartPolicy({ Name = '', MaximumRetryCount = 0 }: RestartPolicy, autoRemove: boolean): void {
  if (!['', 'no', 'always', 'on-failure', 'unless-stopped'].includes(Name)) {
    throw invalidArgument(`invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
  }
  if (MaximumRetryCount < 0) throw invalidArgument('invalid restart policy: maximum retry count cannot be negative');
  if (MaximumRetryCount > 0 && Name !== 'on-failure') {
    throw invalidArgument(`invalid restart policy: maximum retry count can only be used with 'on-failure'`);
  }
  if (autoRemove && Name !== '' && Name !== 'no') throw invalidArgument("can't create 'AutoRemove' container with restart policy");
}

const ipcSysctls = new Set(
  'kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced'.split(' '),
);

/** Only keys that the kernel keeps per namespace, and only with a namespace of one's own: the others would change the host. */
function checkSysctl(key: string, value: string, { IpcMode = '', NetworkMode = '' }: HostConfig): void {
  if (/[\n\0]/.test(value) || !/^[a-zA-Z0-9_./-]+$/.test(key) || key.includes('..'))
    throw invalidArgument(`invalid sysctl ${JSON.stringify(`${key}=${value}`)}`);
  const dotted = key.replaceAll('/', '.');
  if (dotted.startsWith('net.')) {
    if (NetworkMode === 'host') throw invalidArgument(`sysctl '${key}' not allowed in host network namespace`);
  } else if (ipcSysctls.has(dotted) || dotted.startsWith('fs.mqueue.')) {
    if (IpcMode === 'host') throw invalidArgument(`sysctl '${key}' not allowed in host ipc namespace`);
  } else throw invalidArgument(`sysctl '${key}' is not allowed: only net.*, fs.mqueue.* and the kernel's IPC keys belong to a container`);
}

function checkNames({ ExtraHosts, Dns, DnsSearch, DnsOptions }: HostConfig): void {
  for (const entry of ExtraHosts ?? []) {
    const [, name = '', address = ''] = /^([^:=]+)[:=](.+)$/s.exec(entry) ?? [];
    if (name === '' || /\s/.test(entry)) throw invalidArgument(`bad format for add-host: "${entry}"`);
    if (address !== 'host-gateway' && isIP(address.replace(/^\[(.*)\]$/, '$1')) === 0)
      throw invalidArgument(`invalid IP address in add-host: "${address}"`);
  }
  for (const server of Dns ?? []) if (isIP(server) === 0) throw invalidArgument(`ParseAddr("${server}"): unable to parse IP`);
  for (const word of [...(DnsSearch ?? []), ...(DnsOptions ?? [])])
    if (/\s/.test(word)) throw invalidArgument(`invalid DNS search domain or option: ${JSON.stringify(word)}`);
}
