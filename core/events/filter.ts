import { invalidArgument } from '@gantry/sdk';
import type { EngineEvent, Filters } from '@gantry/sdk/engine';

const objectTypes = ['container', 'image', 'volume', 'network', 'plugin', 'daemon'] as const;
const known = new Set<string>([...objectTypes, 'type', 'event', 'label', 'scope', 'service', 'node', 'secret', 'config']);
const fuzzyActions = ['health_status', 'exec_create', 'exec_start'];

/**
 * Docker's event filters: type, event and scope exactly (health_status, exec_create and exec_start by prefix), objects by id or name
 * prefix, images with the tag stripped, labels by key or key=value. Unknown key: `invalid_argument`.
 */
export function eventMatcher(filters: Filters): (event: EngineEvent) => boolean {
  for (const key of Object.keys(filters)) if (!known.has(key)) throw invalidArgument(`invalid filter '${key}'`);
  const any = (key: string, test: (wanted: string) => boolean) =>
    filters[key] === undefined || filters[key].length === 0 || filters[key].some(test);
  return (event) =>
    any('type', (wanted) => wanted === event.type) &&
    any('scope', (wanted) => wanted === event.scope) &&
    any('event', (wanted) => wanted === event.action || (fuzzyActions.includes(wanted) && event.action.startsWith(wanted))) &&
    (filters['label'] ?? []).every((wanted) => hasLabel(event.actor.attributes, wanted)) &&
    ['service', 'node', 'secret', 'config'].every((key) => (filters[key] ?? []).length === 0) &&
    objectTypes.every((type) => any(type, (wanted) => matchesObject(event, type, wanted)));
}

function hasLabel(attributes: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=');
  return rest.length === 0 ? Object.hasOwn(attributes, key) : attributes[key] === rest.join('=');
}

function matchesObject(event: EngineEvent, type: (typeof objectTypes)[number], wanted: string): boolean {
  const { id, attributes } = event.actor;
  if (type === 'image') {
    const name = event.type === 'image' ? (attributes['name'] ?? id) : (attributes['image'] ?? '');
    return [id, name, withoutTag(name)].includes(wanted) || wanted === `${name}:latest`;
  }
  if (type !== event.type) return attributes[type] === wanted;
  return id.startsWith(wanted) || (attributes['name'] ?? '').startsWith(wanted);
}

function withoutTag(name: string): string {
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}
