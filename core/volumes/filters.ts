import { invalidArgument } from '@gantry/sdk';
import { buildCacheLabel } from '@gantry/sdk/builder';
import type { Filters } from '@gantry/sdk/engine';
import { driverName } from '../drivers/index.ts';
import { matchesPattern } from '../support/index.ts';
import { type VolumeRecord, isAnonymous, isOfBuilds } from './record.ts';

type Test = (record: VolumeRecord, isUsed: boolean) => boolean;

/** Which volumes a list shows: dangling, driver, label, name. Unknown key or value: `invalid_argument`. */
export function listFilter(filters: Filters): Test {
  refuseOthers(filters, ['dangling', 'driver', 'label', 'name']);
  const dangling = filters['dangling']?.map((value) => truth('dangling', value));
  const isShown = ofBuildsFilter(filters);
  return (record, isUsed) =>
    isShown(record) &&
    (dangling === undefined || dangling.length === 0 || dangling.includes(!isUsed)) &&
    any(filters['driver'], (value) => driverName(value) === record.driver) &&
    any(filters['name'], (value) => matchesPattern(value, record.name)) &&
    (filters['label'] ?? []).every((value) => hasLabel(record, value));
}

/** Which of the unused volumes go: anonymous ones, all with `all=true`; label and label! narrow it. */
export function pruneFilter(filters: Filters): (record: VolumeRecord) => boolean {
  refuseOthers(filters, ['all', 'label', 'label!']);
  const all = (filters['all'] ?? []).some((value) => truth('all', value));
  const isShown = ofBuildsFilter(filters);
  return (record) =>
    isShown(record) &&
    (all || isAnonymous(record)) &&
    (filters['label'] ?? []).every((value) => hasLabel(record, value)) &&
    !(filters['label!'] ?? []).some((value) => hasLabel(record, value));
}

/** Those of builds are meant only when their label is named. */
function ofBuildsFilter({ label = [] }: Filters): (record: VolumeRecord) => boolean {
  const isAsked = label.some((value) => value.split('=')[0] === buildCacheLabel);
  return (record) => isAsked || !isOfBuilds(record);
}

function refuseOthers(filters: Filters, known: readonly string[]): void {
  const other = Object.keys(filters).find((key) => !known.includes(key));
  if (other !== undefined) throw invalidArgument(`invalid filter '${other}'`);
}

function truth(key: string, value: string): boolean {
  if (['1', 'true', 'True', 'TRUE', 't', 'T'].includes(value)) return true;
  if (['0', 'false', 'False', 'FALSE', 'f', 'F'].includes(value)) return false;
  throw invalidArgument(`invalid filter '${key}=${value}'`);
}

function any(values: readonly string[] | undefined, test: (value: string) => boolean): boolean {
  return values === undefined || values.length === 0 || values.some(test);
}

function hasLabel({ labels }: VolumeRecord, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=');
  return Object.hasOwn(labels, key) && (rest.length === 0 || labels[key] === rest.join('='));
}
