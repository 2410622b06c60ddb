import { join } from 'node:path';
import type { Mount, Path } from '@gantry/sdk';

/** GraphDriver.Data as Docker shows it, from a described mount; {} when that is no overlay. */
export function overlayFolders(mounts: readonly Mount[], dataDir: string, target: string): Readonly<Record<string, string>> {
  const overlay = mounts[0]?.overlay;
  if (overlay === undefined) return {};
  const text = (place: Path | undefined) => (place !== undefined && 'data' in place ? join(dataDir, place.data) : '');
  return {
    LowerDir: overlay.lower.map(text).join(':'),
    MergedDir: target,
    UpperDir: text(overlay.upper),
    WorkDir: text(overlay.work),
  };
}
