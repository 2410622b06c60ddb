import { invalidArgument } from '@gantry/sdk';
import type { Container, Filters } from '@gantry/sdk/engine';
import { matchesPattern } from '../support/index.ts';

const states = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healths = ['starting', 'healthy', 'unhealthy', 'none'];
const isolation = ['default', 'process', 'hyperv'];

export interface FilterFacts {
  /** Ids of the images that a container's image descends from, itself included; an unknown reference gives none. */
  readonly descendantsOf: (image: string) => ReadonlySet<string>;
  /** Full id of a container given by id, prefix or name. */
  readonly find: (container: string) => Container;
}
type Test = (container: Container) => boolean;
type Make = (values: readonly string[], facts: FilterFacts) => Test;

const makers: Readonly<Record<string, Make>> = {
  ancestor: (values, { descendantsOf }) => {
    const images = new Set(values.flatMap((image) => [...descendantsOf(image)]));
    return ({ imageId }) => images.has(imageId);
  },
  before: ([value = ''], { find }) => olderThan(find(value)),
  since: ([value = ''], { find }) => {
    const reference = find(value);
    const older = olderThan(reference);
    return (container) => container.id !== reference.id && !older(container);
  },
  exited: (values) => {
    const codes = values.map((value) => toExitCode(value));
    return ({ state }) => !state.running && codes.includes(state.exitCode) && state.status !== 'created';
  },
  expose: (values) => anyPort(values, ({ config }) => Object.keys(config.ExposedPorts ?? {})),
  publish: (values) =>
    anyPort(values, ({ ports }) =>
      Object.entries(ports).flatMap(([port, bindings]) => [
        port,
        ...(bindings ?? []).filter(({ hostPort }) => hostPort !== 0).map(({ hostPort }) => `${hostPort}/${port.split('/')[1]}`),
      ]),
    ),
  health: (values) => {
    for (const value of values) checkOne('health', value, healths);
    return ({ state }) => values.includes(state.health?.status ?? 'none');
  },
  id:
    (values) =>
    ({ id }) =>
      values.some((value) => id.startsWith(value) || matchesPattern(value, id)),
  'is-task': (values) => {
    for (const value of values) checkOne('is-task', value, ['true', 'false', '1', '0']);
    return () => values.every((value) => value === 'false' || value === '0');
  },
  isolation: (values) => {
    for (const value of values) checkOne('isolation', value, isolation);
    return () => values.includes('default');
  },
  label:
    (values) =>
    ({ config }) =>
      values.every((value) => hasLabel(config.Labels ?? {}, value)),
  'label!':
    (values) =>
    ({ config }) =>
      !values.some((value) => hasLabel(config.Labels ?? {}, value)),
  name:
    (values) =>
    ({ name }) =>
      values.some((value) => matchesPattern(value, `/${name}`) || matchesPattern(value, name)),
  network:
    (values) =>
    ({ networks }) =>
      networks.some(({ networkId, networkName }) => values.some((value) => networkName === value || networkId.startsWith(value))),
  status: (values) => {
    for (const value of values) checkOne('status', value, states);
    return ({ state }) => values.includes(state.status);
  },
  volume:
    (values) =>
    ({ mounts }) =>
      mounts.some(({ name, destination, source }) =>
        values.some((value) => value === name || value === destination || (name === undefined && value === source)),
      ),
};

/** Docker's container filters as one test; unknown keys and values are `invalid_argument` in Docker's words. */
export function containerFilter(filters: Filters, facts: FilterFacts): Test {
  const tests = Object.entries(filters).map(([key, values]): Test => {
    const make = Object.hasOwn(makers, key) ? makers[key] : undefined;
    if (make === undefined) throw invalidArgument(`invalid filter '${key}'`);
    return values.length === 0 ? () => true : make(values, facts);
  });
  return (container) => tests.every((passes) => passes(container));
}

/** Whether the filters alone ask for containers that do not run. */
export function impliesAll(filters: Filters): boolean {
  return (
    (filters['status'] ?? []).length > 0 ||
    (filters['exited'] ?? []).length > 0 ||
    (filters['before'] ?? []).length > 0 ||
    (filters['since'] ?? []).length > 0
  );
}

function checkOne(key: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  const kind = key === 'status' ? 'state' : key;
  throw invalidArgument(`invalid filter '${key}=${value}': invalid value for ${kind} (${value}): must be one of ${allowed.join(', ')}`);
}

function olderThan({ created, id }: Container): Test {
  return (container) => container.id !== id && container.created < created;
}

function toExitCode(value: string): number {
  if (!/^-?\d+$/.test(value)) throw invalidArgument(`invalid filter 'exited=${value}'`);
  return Number(value);
}

function anyPort(values: readonly string[], portsOf: (container: Container) => readonly string[]): Test {
  const wanted = new Set(values.flatMap(expandPort));
  return (container) => portsOf(container).some((port) => wanted.has(port.includes('/') ? port : `${port}/tcp`));
}

function expandPort(value: string): string[] {
  const [, first = '', last = first, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(value) ?? [];
  if (first === '' || Number(last) < Number(first) || Number(last) > 65_535) throw invalidArgument(`invalid port '${value}'`);
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => `${Number(first) + index}/${protocol}`);
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  return at < 0 ? Object.hasOwn(labels, wanted) : labels[wanted.slice(0, at)] === wanted.slice(at + 1);
}
