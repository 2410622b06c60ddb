import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { forbidden, notImplemented } from '../errors.ts';
import { bindMount, isMountPoint, mount, mountFlags, mountOverlay, umount2, unmountFlags } from '../linux/index.ts';
import type { Attachment, Mount, Path } from '../types/index.ts';
import type { World } from './cases.ts';

/**
 * Makes described mounts for real: of the types that need no grant, below the plugin's own folder. For a mount namespace that nobody else is
 * in: nothing here is as careful as the engine is.
 */
export const mountingWorld: World = {
  noProjectQuota: () => 'the limits that mounts describe are set by the engine only',
  mount: async ({ mounts }: Attachment, { dataDir }) => {
    const path = mkdtempSync(join(tmpdir(), 'mounted-'));
    for (const described of mounts) mountOne(described, described.target === undefined ? path : join(path, described.target), dataDir);
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        while (isMountPoint(path)) umount2(path, unmountFlags.detach);
        rmdirSync(path);
      },
    };
  },
};

function mountOne({ type, source, options = [], overlay, readOnly = false }: Mount, target: string, dataDir: string): void {
  const place = (path: Path) => dataPath(path, dataDir);
  if (type === 'bind') return bindMount(place(source), target, { recursive: true, readOnly });
  if (type === 'tmpfs') return mount('tmpfs', target, { type, data: options.join(','), flags: readOnly ? mountFlags.rdonly : 0 });
  if (type !== 'overlay' || overlay === undefined) throw notImplemented(`mounts of type ${type} are made by the engine only`);
  const { lower, upper, work } = overlay;
  mountOverlay({
    lower: lower.map(place),
    upper: upper && place(upper),
    work: work && place(work),
    target,
    options: Object.fromEntries(
      options.map((option) => [option.split('=')[0] ?? '', option.includes('=') ? option.slice(option.indexOf('=') + 1) : true]),
    ),
    readOnly,
  });
}

function dataPath(path: Path, dataDir: string): string {
  if (!('data' in path)) throw notImplemented(`${JSON.stringify(path)} is a place that only the engine shows`);
  const below = normalize(join(path.data, path.subpath ?? '.'));
  if (below.startsWith('../') || below.startsWith('/')) throw forbidden(`${path.data} is not below the plugin's data folder`);
  return join(dataDir, below);
}
