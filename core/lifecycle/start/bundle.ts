import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fromErrno, invalidArgument } from '@gantry/sdk';
import { type RuntimeCommand, runtimeJson } from '@gantry/sdk/exec';
import { rootOf } from '@gantry/sdk/linux';
import type { Sandbox } from '../../networks/types.ts';
import { wantedDevices, withDevices } from '../device-requests/index.ts';
import type { Entry } from '../entry.ts';
import { ociSpec, type ProcessUser, type Spec, type SpecMount } from '../oci-spec/index.ts';
import type { Room } from '../room.ts';
import { securityOf } from '../validate/index.ts';
import { cgroupVersion } from './cgroups.ts';
import { cgroupsPath } from './cgroups-path.ts';
import { describedRun } from './described.ts';
import { writeContainerFiles } from './files.ts';
import { withInit } from './init.ts';
import { type UserNamespace, wantedIdMaps } from '../user-namespace.ts';
import { chooseNamespaces } from './namespaces.ts';
import { containerProcess } from './spec-process.ts';

export interface BundleParts {
  readonly rootfs: string;
  readonly user: ProcessUser;
  readonly sandbox: Sandbox;
  readonly mounts: readonly SpecMount[];
  readonly userns?: UserNamespace | undefined;
  /** The shared memory of another container. */
  readonly shmPath?: string;
}

/**
 * Writes config.json into the folder that the runtime reads: as composed, or with what the container's driver describes in place of its
 * program; answers the runtime that it describes.
 */
export async function writeBundle(
  room: Room,
  entry: Entry,
  spec: Spec,
  sources: AsyncDisposableStack,
): Promise<{ readonly command?: RuntimeCommand }> {
  const { describedBy } = entry.document.exec ?? {};
  if (describedBy !== undefined && wantedIdMaps(entry.document.hostConfig, room.parts.defaults) !== undefined)
    throw invalidArgument(`runtime ${describedBy} runs no containers with a user namespace of their own`, { hint: '--userns=host' });
  const devices = wantedDevices(entry.document.hostConfig, room.parts.defaults?.cdiFolders);
  const whole = devices.length === 0 ? spec : withDevices(spec, devices);
  const described = describedBy === undefined ? { spec: whole } : await describedRun({ room, entry, sources }, describedBy, whole);
  writeFileSync(join(room.folders.bundle(entry.id), 'config.json'), runtimeJson(described.spec), { mode: 0o600 });
  return described;
}

/** What config.json is to say; writes the files that are mounted over the image's own. */
export function composeSpec(room: Room, entry: Entry, { rootfs, user, sandbox, mounts, userns, shmPath }: BundleParts): Spec {
  const { id, document } = entry;
  const { config, hostConfig } = document;
  const { defaults = {} } = room.parts;
  emptyFolder(room.folders.bundle(id));
  const ownName = config.Hostname || hostname();
  const files = writeContainerFiles(room.folders.files(id), {
    hostname: ownName,
    domainname: config.Domainname ?? '',
    sandbox,
    owner: userns && rootOf(userns.maps),
  });
  const init = withInit(document, { isWanted: hostConfig.Init ?? defaults.init ?? false, program: defaults.initPath });
  const process = containerProcess(document, { user, hostname: ownName, linkedEnv: sandbox.env, args: init.args });
  const namespaces = chooseNamespaces(room, entry, sandbox);
  return ociSpec({
    rootfs,
    process,
    hostConfig,
    security: securityOf(hostConfig, defaults),
    hostname: ownName,
    domainname: config.Domainname ?? '',
    namespaces,
    cgroupsPath: cgroupsPath(hostConfig.CgroupParent || (defaults.cgroupParent ?? ''), id),
    cgroupVersion: cgroupVersion(),
    ...(userns && { userns }),
    ...(shmPath !== undefined && { shmPath }),
    mounts: [...withoutTaken(files, mounts), ...init.mounts, ...mounts],
    ...propagation(mounts),
  });
}

/** A user's own mount at /etc/hosts and the like wins. */
function withoutTaken(files: readonly SpecMount[], mounts: readonly SpecMount[]): readonly SpecMount[] {
  const taken = new Set(mounts.map(({ destination }) => destination));
  return files.filter(({ destination }) => !taken.has(destination));
}

/** Mounts that are to be seen on the other side need a root that lets them through. */
function propagation(mounts: readonly SpecMount[]): { readonly rootPropagation?: string } {
  const options = new Set(mounts.flatMap((mount) => mount.options));
  if (options.has('shared') || options.has('rshared')) return { rootPropagation: 'rshared' };
  return options.has('slave') || options.has('rslave') ? { rootPropagation: 'rslave' } : {};
}

function emptyFolder(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fromErrno(error, `make bundle ${path}`);
  }
}
