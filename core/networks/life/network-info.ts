import { invalidArgument } from '@gantry/sdk';
import type { Filters, NetworkInfo } from '@gantry/sdk/engine';
import { parseCidr } from '@gantry/sdk/network';
import { driverName } from '../../drivers/index.ts';
import { matchesPattern, momentOf } from '../../support/index.ts';
import type { NetworkBooks } from '../books.ts';
import type { EndpointRecord, NetworkRecord } from '../documents.ts';

export function networkInfo({ id, name, document }: NetworkRecord, books: NetworkBooks): NetworkInfo {
  const { network } = document.plan;
  return {
    id,
    name,
    created: document.created,
    driver: document.driver,
    scope: 'local',
    ipv4: document.ipv4,
    ipv6: network.ipv6,
    ipam: document.ipam,
    internal: network.internal,
    attachable: network.attachable,
    configOnly: document.configOnly ?? false,
    configFrom: document.configFrom ?? '',
    options: network.options,
    labels: network.labels,
    containers: Object.fromEntries(books.endpointsOn(id).map((endpoint) => [endpoint.containerId, containerOn(endpoint)])),
  };
}

const listKeys = new Set(['driver', 'id', 'name', 'label', 'scope', 'type', 'dangling']);
const pruneKeys = new Set(['until', 'label', 'label!']);

/** Docker's filters of `network ls`; `isUsed` is asked only when somebody filters by it. */
export function networkMatcher(filters: Filters, isUsed: (network: NetworkRecord) => boolean): (network: NetworkRecord) => boolean {
  checkKeys(filters, listKeys);
  const dangling = truth(filters, 'dangling');
  for (const type of filters['type'] ?? [])
    if (type !== 'custom' && type !== 'builtin') throw invalidArgument(`invalid filter: 'type'='${type}'`);
  return (network) => {
    const { document, id, name } = network;
    const any = (key: string, test: (wanted: string) => boolean) => (filters[key] ?? []).length === 0 || (filters[key] ?? []).some(test);
    return (
      any('driver', (wanted) => document.driver === driverName(wanted)) &&
      any('id', (wanted) => matchesPattern(wanted, id)) &&
      any('name', (wanted) => matchesPattern(wanted, name)) &&
      any('scope', (wanted) => wanted === 'local') &&
      any('type', (wanted) => (wanted === 'builtin') === document.isPredefined) &&
      hasLabels(document.plan.network.labels, filters['label'] ?? []) &&
      (dangling === undefined || dangling === (!document.isPredefined && !isUsed(network)))
    );
  };
}

/** What `network prune` may take: made before `until`, with and without these labels. */
export function pruneMatcher(filters: Filters, nowMs: number): (network: NetworkRecord) => boolean {
  checkKeys(filters, pruneKeys);
  const untils = filters['until'] ?? [];
  if (untils.length > 1) throw invalidArgument('more than one until filter specified');
  const until = untils[0] === undefined ? undefined : momentOf(untils[0], nowMs);
  if (until === undefined && untils[0] !== undefined)
    throw invalidArgument(`failed to parse value as time or duration: ${JSON.stringify(untils[0].slice(0, 80))}`);
  return ({ document }) =>
    !document.isPredefined &&
    document.configOnly !== true &&
    (until === undefined || Date.parse(document.created) < until) &&
    hasLabels(document.plan.network.labels, filters['label'] ?? []) &&
    (filters['label!'] ?? []).every((wanted) => !hasLabels(document.plan.network.labels, [wanted]));
}

function containerOn({ document }: EndpointRecord): NetworkInfo['containers'][string] {
  const of = (family: 4 | 6) => document.addresses.find((address) => parseCidr(address)?.family === family) ?? '';
  return { name: document.containerName, endpointId: document.endpointId, macAddress: document.mac, ipv4: of(4), ipv6: of(6) };
}

function checkKeys(filters: Filters, known: ReadonlySet<string>): void {
  for (const key of Object.keys(filters)) if (!known.has(key)) throw invalidArgument(`invalid filter '${key}'`);
}

function hasLabels(labels: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const equals = text.indexOf('=');
    const [key, value] = equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
    return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
  });
}

function truth(filters: Filters, key: string): boolean | undefined {
  const values = filters[key] ?? [];
  if (values.length === 0) return undefined;
  if (values.every((value) => value === 'true' || value === '1')) return true;
  if (values.every((value) => value === 'false' || value === '0')) return false;
  throw invalidArgument(`invalid filter: '${key}'='${values.join(',')}'`);
}
