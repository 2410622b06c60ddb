import { invalidArgument } from '@gantry/sdk';
import { type IdMaps, outsideId } from '@gantry/sdk/linux';
import type { TarHeader } from '../tar/index.ts';
import { type EntryPath, shown } from './entry-path.ts';

export interface UnpackRules {
  /**
   * How `.wh.` entries are taken: `overlay` writes what overlayfs understands into a tree that holds this layer only,
   * `plain` deletes from a tree that holds the lower layers too, `none` makes ordinary files of them.
   */
  readonly whiteouts: 'overlay' | 'plain' | 'none';
  /** Refuse to put a file in a folder's place and the other way round (docker cp). */
  readonly noOverwriteDirNonDir?: boolean;
  /** Owner of everything, instead of what the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** The tree shows owners by these maps: those of the archive are the container's. */
  readonly idMaps?: IdMaps | undefined;
  /** Unpacks below this folder of the root. */
  readonly below?: EntryPath;
}

/** Thrown where a layer refers to a file of a lower layer, which is not in a tree that holds this layer only. */
export const needsLowerLayers = 'NEEDS_LOWER_LAYERS';

/** Others (volume labels, multi-volume parts, global headers, …) say nothing about the tree: Docker skips them too. */
export function withOwner(header: TarHeader, path: EntryPath, { owner, idMaps }: UnpackRules): TarHeader {
  if (owner !== undefined) Object.assign(header, owner);
  if (idMaps === undefined) return header;
  const owned = (id: number, ranges: IdMaps['uids']): number => {
    const outside = outsideId(id, ranges);
    if (outside === undefined) throw invalidArgument(`${shown(path)}: owner ${id} is not in the user namespace of the container`);
    return outside;
  };
  return Object.assign(header, { uid: owned(header.uid, idMaps.uids), gid: owned(header.gid, idMaps.gids) });
}

export function isKnownType(type: string): boolean {
  return (type >= '0' && type <= '7') || type === 'S';
}
