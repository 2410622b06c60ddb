import { invalidArgument, type Manifest } from '@gantry/sdk';
import type { Privilege } from '@gantry/sdk/engine';

/**
 * What a manifest asks for, in the shape and, where Docker has one, under the name and with the text of Docker's `GET /plugins/privileges`.
 * A plugin that asks for nothing gives an empty list.
 */
export function privilegesOf({ privileges = {} }: Pick<Manifest, 'privileges'>): readonly Privilege[] {
  const { hostPaths = [], devices = [], capabilities = [], mountTypes = [], host = [] } = privileges;
  return [
    ...when(privileges.network === 'host', 'network', 'permissions to access a network', 'host'),
    ...when(privileges.hostIpc, 'host ipc namespace', 'allow access to host ipc namespace'),
    ...when(privileges.hostPid, 'host pid namespace', 'allow access to host pid namespace'),
    ...hostPaths.map((path) => privilege('mount', 'host path to mount', [path])),
    ...devices.filter((path) => !isAllDevices(path)).map((path) => privilege('device', 'host device to access', [path])),
    ...when(devices.some(isAllDevices), 'allow-all-devices', "allow 'rwm' access to all devices"),
    ...listed('capabilities', 'list of additional capabilities required', capabilities),
    ...listed('mount type', 'file system types to mount', mountTypes),
    ...listed('runtimes', 'OCI runtimes that run as root', privileges.runtimes ?? []),
    ...listed('cni', 'folders with CNI programs that run as root', privileges.cni ?? []),
    ...when(privileges.nftables, 'nftables', 'add firewall rules'),
    ...when(privileges.netns, 'netns', 'enter the network namespaces of containers'),
    ...when(privileges.user === 'root', 'user', 'run as user 0', 'root'),
    ...when(privileges.unconfined, 'unconfined', 'run without any sandbox'),
    ...when(privileges.driverMounted, 'driver-mounted', 'hand out directories that it mounted itself'),
    ...listed('host api', 'facts and events to ask the engine for', host),
  ];
}

/**
 * Throws `invalid_argument` unless exactly what was asked for was granted: no more, no less, in any order of privileges and of their
 * values. Descriptions are for people and do not count.
 */
export function comparePrivileges(asked: readonly Privilege[], granted: readonly Privilege[]): void {
  const wanted = countsOf(asked);
  const given = countsOf(granted);
  const isEqual = wanted.size === given.size && [...wanted].every(([key, count]) => given.get(key) === count);
  if (isEqual) return;
  const missing = [...wanted.keys()].filter((key) => (given.get(key) ?? 0) < (wanted.get(key) ?? 0));
  const surplus = [...given.keys()].filter((key) => (given.get(key) ?? 0) > (wanted.get(key) ?? 0));
  throw incorrect(missing, surplus);
}

/**
 * For an upgrade: what was granted before needs no second yes, so `granted` may be all that is asked for, only what is new, or anything between;
 * for one that asks for less, nothing. Throws `invalid_argument` when something new is not granted, or something is granted that is not asked for.
 */
export function comparePrivilegeChange(
  { before, asked }: { readonly before: readonly Privilege[]; readonly asked: readonly Privilege[] },
  granted: readonly Privilege[],
): void {
  const missing = delta([...before, ...granted], asked).added;
  const surplus = delta(asked, granted).added;
  if (missing.length + surplus.length > 0) throw incorrect(missing.map(keyOf), surplus.map(keyOf));
}

/** What changes when a plugin that was granted `before` becomes one that asks for `after`; equal lists give two empty ones. */
export function delta(
  before: readonly Privilege[],
  after: readonly Privilege[],
): { readonly added: readonly Privilege[]; readonly dropped: readonly Privilege[] } {
  return { added: without(after, before), dropped: without(before, after) };
}

/** Value by value: one further capability is one privilege with that one value. */
function without(list: readonly Privilege[], other: readonly Privilege[]): readonly Privilege[] {
  return list.flatMap(({ name, description, value }) => {
    const same = other.filter((one) => one.name === name);
    const known = new Set(same.flatMap((one) => one.value));
    const rest = value.filter((text) => !known.has(text));
    return rest.length > 0 || same.length === 0 ? [privilege(name, description, rest)] : [];
  });
}

function incorrect(missing: readonly string[], surplus: readonly string[]): Error {
  const hints = [
    ...missing.map((key) => `asked for and not granted: ${key}`),
    ...surplus.map((key) => `granted and not asked for: ${key}`),
  ];
  return invalidArgument('incorrect privileges', { reason: 'PRIVILEGES_DIFFER', hint: hints.join('; ') });
}

/** How often each privilege occurs, by a text that two privileges share exactly when they mean the same. */
function countsOf(privileges: readonly Privilege[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const each of privileges) {
    const key = keyOf(each);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

function keyOf({ name, value }: Privilege): string {
  return JSON.stringify([name, ...value.toSorted()]);
}

function isAllDevices(path: string): boolean {
  return /^\/dev\/*$/.test(path);
}

function listed(name: string, description: string, value: readonly string[]): readonly Privilege[] {
  return value.length === 0 ? [] : [privilege(name, description, value)];
}

function when(isAsked: boolean | undefined, name: string, description: string, value = 'true'): readonly Privilege[] {
  return isAsked === true ? [privilege(name, description, [value])] : [];
}

function privilege(name: string, description: string, value: readonly string[]): Privilege {
  return { name, description, value };
}
