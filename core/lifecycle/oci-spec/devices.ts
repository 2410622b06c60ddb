import { readdirSync, type Stats, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { notFound } from '@gantry/sdk';
import type { HostConfig } from '@gantry/sdk/engine';
import { deviceNumbers } from '@gantry/sdk/linux';
import type { SpecMount } from './mounts.ts';
import type { DeviceRule } from './resources.ts';

export interface SpecDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Where the machine has it. */
export interface HostDevice extends SpecDevice {
  readonly hostPath: string;
}

/** Everything is denied, then: make any node, use null zero full random urandom tty console ptmx and terminals (Docker's list). */
const defaultRules: readonly DeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...(
    [
      [1, 3],
      [1, 5],
      [1, 7],
      [1, 8],
      [1, 9],
      [5, 0],
      [5, 1],
      [5, 2],
    ] as const
  ).map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/**
 * What of devices the runtime is to make, and what it is to mount. In a user namespace nobody makes nodes: runtimes show the machine's instead, but look for them at the
 * container's path, so one that has another path there is mounted like a file.
 */
export function placedDevices(
  devices: readonly HostDevice[],
  { hasUserns }: { readonly hasUserns: boolean },
): { readonly nodes: readonly SpecDevice[]; readonly mounts: readonly SpecMount[] } {
  const isMounted = ({ hostPath, path }: HostDevice): boolean => hasUserns && hostPath !== path;
  return {
    nodes: devices.filter((device) => !isMounted(device)).map(({ hostPath: _hostPath, ...node }) => node),
    mounts: devices
      .filter(isMounted)
      .map(({ hostPath, path }) => ({ destination: path, type: 'bind', source: hostPath, options: ['bind'] })),
  };
}

/** The device nodes and cgroup rules of a container. A missing host device is `not_found`: it may be plugged in later, so it is no create error. */
export function containerDevices(hostConfig: HostConfig): {
  readonly devices: readonly HostDevice[];
  readonly rules: readonly DeviceRule[];
} {
  if (hostConfig.Privileged === true) return { devices: hostDevices(), rules: [{ allow: true, access: 'rwm' }] };
  const mapped = (hostConfig.Devices ?? []).flatMap(({ PathOnHost, PathInContainer, CgroupPermissions }) => {
    const access = CgroupPermissions === '' ? 'rwm' : CgroupPermissions;
    return mapDevice(PathOnHost, PathInContainer === '' ? PathOnHost : PathInContainer).map((device) => ({ device, access }));
  });
  return {
    devices: mapped.map(({ device }) => device),
    rules: [
      ...defaultRules,
      ...mapped.map(({ device: { type, major, minor }, access }) => ({ allow: true, type, major, minor, access })),
      ...(hostConfig.DeviceCgroupRules ?? []).map(parseRule),
    ],
  };
}

/** "c 10:* rwm" */
function parseRule(text: string): DeviceRule {
  const [type = 'a', numbers = '*:*', access = 'rwm'] = text.split(' ');
  const [major = '*', minor = '*'] = numbers.split(':');
  return {
    allow: true,
    type,
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}

/** A device, or every device in a folder. */
function mapDevice(hostPath: string, path: string): readonly HostDevice[] {
  const facts = statSync(hostPath, { throwIfNoEntry: false });
  if (facts === undefined)
    throw notFound(`error gathering device information while adding custom device "${hostPath}": no such file or directory`);
  if (facts.isDirectory()) return readdirSync(hostPath).flatMap((name) => mapIfDevice(join(hostPath, name), posix.join(path, name)));
  const device = toDevice(facts, { hostPath, path });
  if (device === undefined)
    throw notFound(`error gathering device information while adding custom device "${hostPath}": not a device node`);
  return [device];
}

function mapIfDevice(hostPath: string, path: string): readonly HostDevice[] {
  const facts = statSync(hostPath, { throwIfNoEntry: false });
  if (facts?.isDirectory() === true) return mapDevice(hostPath, path);
  const device = facts && toDevice(facts, { hostPath, path });
  return device === undefined ? [] : [device];
}

function toDevice(facts: Stats, paths: Pick<HostDevice, 'hostPath' | 'path'>): HostDevice | undefined {
  if (!facts.isCharacterDevice() && !facts.isBlockDevice()) return undefined;
  return {
    ...paths,
    type: facts.isBlockDevice() ? 'b' : 'c',
    ...deviceNumbers(facts.rdev),
    fileMode: facts.mode & 0o7777,
    uid: facts.uid,
    gid: facts.gid,
  };
}

const notOurs = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'ptmx', '.lxc', '.lxd-mounts', '.udev']);

/** Every device of the host, for privileged containers. */
function hostDevices(folder = '/dev'): readonly HostDevice[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (folder === '/dev' && notOurs.has(entry.name)) return [];
    if (entry.isDirectory()) return hostDevices(path);
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    return toDevice(statSync(path), { hostPath: path, path }) ?? [];
  });
}
