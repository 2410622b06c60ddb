import { join } from 'node:path';
import { conflict } from '@gantry/sdk';
import type { Sandbox } from '../../networks/types.ts';
import type { Entry } from '../entry.ts';
import { cloneMountOf } from '../inside/aside.ts';
import type { Run } from '../model.ts';
import type { NamespaceChoice, SpecRequest } from '../oci-spec/index.ts';
import type { Room } from '../room.ts';
import type { Attaching } from './mounts.ts';
import { showMount } from './staging.ts';

/** Which namespaces are new, the host's, or another container's. */
export function chooseNamespaces(room: Room, { document: { hostConfig } }: Entry, sandbox: Sandbox): SpecRequest['namespaces'] {
  const { IpcMode = '', PidMode = '', UTSMode = '', CgroupnsMode = '', NetworkMode } = hostConfig;
  return {
    network: networkNamespace(sandbox),
    ipc: chooseOne(room, IpcMode, 'ipc'),
    pid: chooseOne(room, PidMode, 'pid'),
    uts: UTSMode === 'host' || NetworkMode === 'host' ? 'host' : 'new',
    cgroup: CgroupnsMode === 'private' ? 'new' : 'host',
  };
}

/** /dev/shm of a container that joins another's IPC namespace. */
export async function sharedMemory({ room, entry, sources, signal }: Attaching): Promise<{ readonly shmPath?: string }> {
  const donor = /^container:(.+)$/.exec(entry.document.hostConfig.IpcMode ?? '')?.[1];
  if (donor === undefined) return {};
  checkShareable(room, donor);
  const path = join(room.folders.staged, `${entry.id}-shm`);
  const mount = await cloneMountOf(runOf(room, donor).pid, '/dev/shm', { signal });
  sources.use(showMount(mount, path, 'shared memory'));
  return { shmPath: path };
}

function networkNamespace({ netnsPath, newNetns }: Sandbox): NamespaceChoice {
  if (netnsPath !== undefined) return { path: netnsPath };
  return newNetns === true ? 'new' : 'host';
}

function chooseOne(room: Room, mode: string, kind: 'ipc' | 'pid'): NamespaceChoice {
  const donor = /^container:(.+)$/.exec(mode)?.[1];
  if (donor !== undefined) {
    if (kind === 'ipc') checkShareable(room, donor);
    return { path: `/proc/${runOf(room, donor).pid}/ns/${kind}` };
  }
  return mode === 'host' ? 'host' : 'new';
}

function checkShareable(room: Room, donor: string): void {
  const { id, document } = room.store.find(donor);
  if (document.hostConfig.IpcMode === 'shareable' || document.hostConfig.IpcMode === 'host') return;
  throw conflict(`cannot join IPC of container ${id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`);
}

function runOf(room: Room, reference: string): Run {
  const { id, run } = room.store.find(reference);
  if (run === undefined) throw conflict(`cannot join namespace of a non running container: container ${id} is not running`);
  return run;
}
