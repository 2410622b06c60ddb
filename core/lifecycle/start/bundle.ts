import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fromErrno } from '@gantry/sdk';
import type { Sandbox } from '../../networks/types.ts';
import type { Entry } from '../entry.ts';
import { ociSpec, type SpecMount } from '../oci-spec/index.ts';
import type { Room } from '../room.ts';
import { readSecurityOptions } from '../validate/index.ts';
import { cgroupVersion } from './cgroups.ts';
import { cgroupsPath } from './cgroups-path.ts';
import { writeContainerFiles } from './files.ts';
import { withInit } from './init.ts';
import { chooseNamespaces, sharedMemory } from './namespaces.ts';
import { containerProcess } from './spec-process.ts';
import { ensureWorkingDirectory } from './working-directory.ts';

export interface BundleParts {
  readonly rootfs: string;
  readonly sandbox: Sandbox;
  readonly mounts: readonly SpecMount[];
}

/** Writes the folder that the runtime reads: config.json, and the files that are mounted over the image's own. */
export function writeBundle(room: Room, entry: Entry, { rootfs, sandbox, mounts }: BundleParts): void {
  const { id, document } = entry;
  const { config, hostConfig } = document;
  const bundle = emptyFolder(room.folders.bundle(id));
  const ownName = config.Hostname || hostname();
  const files = writeContainerFiles(room.folders.files(id), { hostname: ownName, domainname: config.Domainname ?? '', sandbox });
  const init = withInit(document, hostConfig.Init === true);
  const process = containerProcess(document, { rootfs, hostname: ownName, linkedEnv: sandbox.env, args: init.args });
  ensureWorkingDirectory(rootfs, process.cwd);
  const namespaces = chooseNamespaces(room, entry, sandbox);
  const spec = ociSpec({
    rootfs,
    process,
    hostConfig,
    security: readSecurityOptions(hostConfig.SecurityOpt ?? []),
    hostname: ownName,
    domainname: config.Domainname ?? '',
    namespaces,
    cgroupsPath: cgroupsPath(hostConfig.CgroupParent ?? '', id),
    cgroupVersion: cgroupVersion(),
    ...sharedMemory(room, entry),
    mounts: [...withoutTaken(files, mounts), ...init.mounts, ...mounts],
    ...propagation(mounts),
  });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
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

function emptyFolder(path: string): string {
  try {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  } catch (error) {
    throw fromErrno(error, `make bundle ${path}`);
  }
}
