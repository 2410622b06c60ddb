import { statSync } from 'node:fs';
import { notFound } from '@gantry/sdk';
import { deviceNumbers } from '@gantry/sdk/linux';
import { type HostDevice, placedDevices, type Spec, type SpecMount } from '../oci-spec/index.ts';
import type { Device, DeviceNode, Edits } from './specification.ts';

interface Linux {
  readonly devices?: readonly object[];
  /** Absent: it has the machine's user namespace. */
  readonly uidMappings?: readonly object[];
  readonly resources?: { readonly devices?: readonly object[] };
}
interface Process {
  readonly env?: readonly string[];
  readonly user?: { readonly additionalGids?: readonly number[] };
}

/** The specification of a container with what its devices change. What a kind changes is done once, however many devices it has. */
export function withDevices(spec: Spec, devices: readonly Device[]): Spec {
  const edits = [...new Set(devices.map(({ ofKind }) => ofKind)), ...devices.map(({ own }) => own)];
  return edits.reduce(withEdits, spec);
}

function withEdits(spec: Spec, { env = [], deviceNodes = [], mounts = [], hooks = [], additionalGids = [] }: Edits): Spec {
  const own = spec.process as Process;
  const linux = spec['linux'] as Linux;
  const found = deviceNodes.map((node) => hostDevice(node));
  const { nodes, mounts: nodeMounts } = placedDevices(found, { hasUserns: linux.uidMappings !== undefined });
  return {
    ...spec,
    process: {
      ...spec.process,
      env: [...(own.env ?? []).filter((known) => !env.some((given) => nameOf(given) === nameOf(known))), ...env],
      user: { ...own.user, additionalGids: [...new Set([...(own.user?.additionalGids ?? []), ...additionalGids])] },
    },
    mounts: [...spec.mounts, ...nodeMounts, ...mounts.map((mount) => specMount(mount))],
    hooks: hooks.reduce(withHook, (spec['hooks'] ?? {}) as Hooks),
    linux: {
      ...linux,
      devices: [...(linux.devices ?? []).filter((known) => !found.some(({ path }) => 'path' in known && known.path === path)), ...nodes],
      resources: {
        ...linux.resources,
        devices: [
          ...(linux.resources?.devices ?? []),
          ...found.map(({ type, major, minor }, index) => ({
            allow: true,
            type,
            major,
            minor,
            access: deviceNodes[index]?.permissions || 'rwm',
          })),
        ],
      },
    },
  };
}

type Hooks = Readonly<Record<string, readonly object[]>>;

function withHook(hooks: Hooks, { hookName, ...hook }: NonNullable<Edits['hooks']>[number]): Hooks {
  return { ...hooks, [hookName]: [...(hooks[hookName] ?? []), hook] };
}

const nameOf = (variable: string): string => variable.split('=', 1)[0] ?? '';

function specMount({ hostPath, containerPath, type, options = [] }: NonNullable<Edits['mounts']>[number]): SpecMount {
  const isBind = type === undefined || type === 'bind' || type === 'none';
  if (!isBind) return { destination: containerPath, type, source: hostPath, options };
  const bind = options.some((option) => option === 'bind' || option === 'rbind') ? options : ['rbind', ...options];
  return { destination: containerPath, type: 'bind', source: hostPath, options: bind };
}

/** Numbers are those of the machine's own node: a specification may be older than the last start of the machine. */
function hostDevice({ path, hostPath = path, fileMode, uid, gid }: DeviceNode): HostDevice {
  const facts = statSync(hostPath, { throwIfNoEntry: false });
  if (facts === undefined || !(facts.isCharacterDevice() || facts.isBlockDevice()))
    throw notFound(`CDI device injection failed: ${hostPath} is no device of this machine`);
  return {
    path,
    hostPath,
    type: facts.isBlockDevice() ? 'b' : 'c',
    ...deviceNumbers(facts.rdev),
    fileMode: fileMode ?? facts.mode & 0o7777,
    uid: uid ?? facts.uid,
    gid: gid ?? facts.gid,
  };
}
