import { buildCacheLabel } from '@gantry/sdk/builder';
import type { VolumeInfo } from '@gantry/sdk/engine';
import type { Volume } from '@gantry/sdk/volume';

/** What the store keeps of a volume besides name and driver. */
export interface VolumeDocument {
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly scope: 'local' | 'global';
  /** RFC 3339. */
  readonly created: string;
  readonly dataPath?: string;
  readonly snapshotOf?: string;
  /** The user chose owner and mode of its root. */
  readonly keepsRoot?: boolean;
}
export interface VolumeRecord extends VolumeDocument {
  readonly name: string;
  readonly driver: string;
}

export const anonymousLabel = 'com.docker.volume.anonymous';

export function isAnonymous({ labels }: VolumeRecord): boolean {
  return Object.hasOwn(labels, anonymousLabel);
}

/** What steps of builds keep for later ones: no volume of a user's, unless one asks for the label. */
export function isOfBuilds({ labels }: VolumeRecord): boolean {
  return Object.hasOwn(labels, buildCacheLabel);
}

/** The record of a volume that a driver made or has. */
export function recordOf(volume: Volume, driver: string, given: Pick<VolumeDocument, 'options' | 'labels'>): VolumeRecord {
  return {
    name: volume.name,
    driver,
    options: given.options,
    labels: given.labels,
    scope: volume.scope,
    created: (volume.created ?? new Date()).toISOString().replace(/\.\d+Z$/, 'Z'),
    ...dataPathOf(volume),
    ...(volume.snapshotOf === undefined ? {} : { snapshotOf: volume.snapshotOf }),
    ...(volume.keepsRoot === true ? { keepsRoot: true } : {}),
  };
}

export function dataPathOf({ dataPath }: Volume): Pick<VolumeDocument, 'dataPath'> {
  return isBelow(dataPath) ? { dataPath } : {};
}

/** It is only shown, yet must not point outside the plugin's folder. */
function isBelow(path: string | undefined): path is string {
  return path !== undefined && path !== '' && !path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..');
}

export function infoOf(
  { name, driver, options, labels, scope, created, snapshotOf }: VolumeRecord,
  mountpoint: string,
  status?: Readonly<Record<string, string>>,
): VolumeInfo {
  return {
    name,
    driver,
    mountpoint,
    createdAt: created,
    labels: orNull(labels),
    options: orNull(options),
    scope,
    ...(status === undefined ? {} : { status }),
    ...(snapshotOf === undefined ? {} : { snapshotOf }),
  };
}

function orNull(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  return Object.keys(map).length === 0 ? null : map;
}
