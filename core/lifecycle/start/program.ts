import { existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '@gantry/sdk/exec';
import type { Grants } from '../../drivers/types.ts';
import { openShown } from '../../execute/index.ts';
import type { Spec, SpecMount } from '../oci-spec/index.ts';
import type { Attaching } from './mounts.ts';
import { showOpened } from './staging.ts';

/** Where a described program finds the container's files. */
const rootfsPlace = '/rootfs';

/**
 * A container in which a program of the host runs in place of the image's: limits, namespaces, user and kernel file systems are the same; the
 * root is made of what the program needs of the host, read-only, with the image and the user's mounts below /rootfs.
 */
export function programSpec(
  attaching: Pick<Attaching, 'room' | 'entry' | 'sources'>,
  spec: Spec,
  { argv, env, cwd = '/', hostPaths = [] }: Program,
  grants: Grants,
): Spec {
  const root = join(attaching.room.folders.bundle(attaching.entry.id), 'root');
  const image: SpecMount = { destination: rootfsPlace, type: 'bind', source: spec.root.path, options: ['rbind', 'rprivate', access(spec)] };
  return {
    ...spec,
    root: { path: root, readonly: true },
    process: { ...spec.process, args: argv, env, cwd },
    mounts: [
      ...spec.mounts.filter(isKernels),
      ...systemMounts(makeRoot(root)),
      ...spec.mounts.filter(isEngines),
      ...hostPaths.map((path, index) => shown(attaching, path, index, grants)),
      image,
      ...spec.mounts.filter((mount) => !isKernels(mount)).map((mount) => ({ ...mount, destination: `${rootfsPlace}${mount.destination}` })),
    ],
  };
}

const access = ({ root }: Spec): string => (root.readonly ? 'ro' : 'rw');

/** /proc, /dev, /sys and what is below them. */
const isKernels = ({ destination }: SpecMount): boolean => /^\/(proc|dev|sys)(\/|$)/.test(destination);

/** The network's names, which the program needs as well. */
const isEngines = ({ destination }: SpecMount): boolean => ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'].includes(destination);

/** An empty root with the host's links of old folders into /usr. */
function makeRoot(root: string): readonly string[] {
  mkdirSync(root, { mode: 0o755 });
  const folders = ['/usr'];
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64']) {
    const stats = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() === true) symlinkSync(readlinkSync(`/${name}`), join(root, name));
    else if (stats !== undefined) folders.push(`/${name}`);
  }
  return folders;
}

/** What programs need besides their own files: libraries are looked up there, Debian's alternatives are links through there. */
const systemFiles = ['/etc/ld.so.cache', '/etc/alternatives', '/etc/ssl/certs', '/etc/localtime'];

function systemMounts(folders: readonly string[]): readonly SpecMount[] {
  const tmp: SpecMount = { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=1777', 'size=65536k'] };
  return [...[...folders, ...systemFiles.filter((path) => existsSync(path))].map((path) => readable(path, path)), tmp];
}

const readable = (destination: string, source: string): SpecMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', 'rprivate', 'ro', 'nosuid', 'nodev'],
});

/** The runtime is given a mount of ours and no name that somebody could make mean another place meanwhile. */
function shown(
  { room, entry, sources }: Pick<Attaching, 'room' | 'entry' | 'sources'>,
  path: string,
  index: number,
  grants: Grants,
): SpecMount {
  const place = join(room.folders.staged, `${entry.id}-host${index}`);
  sources.use(showOpened(openShown(path, grants), place, `host path ${path}`));
  return readable(path, place);
}
