import { existsSync } from 'node:fs';

/** An entry of `mounts`, in the order in which the runtime makes them. */
export interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface DefaultMounts {
  readonly privileged: boolean;
  readonly cgroupVersion: 1 | 2;
  readonly hostNetwork: boolean;
  readonly hostIpc: boolean;
  readonly hostPid: boolean;
  /** A user namespace of its own, in which nobody may mount what belongs to a namespace of the host. */
  readonly hasUserns: boolean;
  readonly hasShm: boolean;
  /** Bytes; ignored when shm is somebody else's. */
  readonly shmSize: number;
  /** Host folder with the shared /dev/shm of another container, or of this one when it is shareable. */
  readonly shmPath?: string;
}

/** Docker's mounts of every container: /proc, /dev and below it, /sys, cgroups. */
export function defaultMounts({
  privileged,
  hostIpc,
  hasShm,
  shmSize,
  shmPath,
  hostNetwork,
  hasUserns,
}: DefaultMounts): readonly SpecMount[] {
  const write = privileged ? 'rw' : 'ro';
  const sys: SpecMount = hostNetwork
    ? { destination: '/sys', type: 'bind', source: '/sys', options: ['nosuid', 'noexec', 'nodev', write, 'rbind'] }
    : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', write] };
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    sys,
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [write, 'nosuid', 'noexec', 'nodev'] },
    ...mqueue(hasUserns && hostIpc),
    ...(hasShm ? [shm(hostIpc ? '/dev/shm' : shmPath, shmSize)] : []),
  ];
}

/** Nobody in a user namespace of its own may mount what belongs to the host's IPC namespace: it is shown where it is mounted already. */
function mqueue(isShown: boolean): readonly SpecMount[] {
  const destination = '/dev/mqueue';
  const options = ['nosuid', 'noexec', 'nodev'];
  if (!isShown) return [{ destination, type: 'mqueue', source: 'mqueue', options }];
  return existsSync(destination) ? [{ destination, type: 'bind', source: destination, options: [...options, 'rbind'] }] : [];
}

function shm(path: string | undefined, sizeBytes: number): SpecMount {
  const destination = '/dev/shm';
  if (path !== undefined) return { destination, type: 'bind', source: path, options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev'] };
  return { destination, type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${sizeBytes}`] };
}
