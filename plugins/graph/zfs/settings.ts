import { invalidArgument } from '@gantry/sdk';
import { isDatasetName } from './command.ts';

export interface ZfsSettings {
  /** Absent: the data set that the data folder is on. */
  readonly parent?: string;
}

/** Settings by Docker's names, as `--storage-opt` gives them; those of other drivers are none of ours. */
export function settingsOf(given: Readonly<Record<string, unknown>>): ZfsSettings {
  const { 'zfs.fsname': parent, ...others } = given;
  const unknown = Object.keys(others).find((name) => name.startsWith('zfs.'));
  if (unknown !== undefined) throw invalidArgument(`unknown storage option ${unknown}`, { hint: 'there is zfs.fsname' });
  if (parent === undefined) return {};
  if (typeof parent !== 'string' || !isDatasetName(parent))
    throw invalidArgument(`zfs.fsname must name a data set, not ${JSON.stringify(parent)}`);
  return { parent };
}
