import { conflict, GantryError, invalidArgument } from '@gantry/sdk';
import type { HostConfig, UpdateContainer } from '@gantry/sdk/engine';
import type { Entry } from './entry.ts';
import { hostLimits } from './host.ts';
import { linuxResources } from './oci-spec/resources.ts';
import type { Room } from './room.ts';
import { hostAbilities } from './start/cgroups.ts';
import { changedBindings } from './update-ports.ts';
import { checkContainerName, checkResources, checkRestartPolicy, withoutUnsupported } from './validate/index.ts';

/** New limits, restart policy and published ports, of a running container at once. What the request leaves out stays. */
export async function updateContainer(
  room: Room,
  entry: Entry,
  { PublishAdd, PublishRemove, ...request }: UpdateContainer,
): Promise<{ readonly warnings: readonly string[] }> {
  using _held = await room.lock(entry);
  if (entry.phase.kind === 'removing' || entry.phase.kind === 'dead')
    throw conflict('container is marked for removal and cannot be "update".');
  const asked: UpdateContainer = Object.fromEntries(Object.entries(request).filter(([, value]) => isGiven(value)));
  const { resources: given, warnings } = withoutUnsupported(asked, hostAbilities());
  const bindings = changedBindings({ name: entry.name, hostConfig: entry.document.hostConfig }, { PublishAdd, PublishRemove });
  const ports = bindings === undefined ? {} : { PortBindings: bindings };
  const hostConfig: HostConfig = { ...entry.document.hostConfig, ...given, ...ports };
  checkResources(hostConfig, hostLimits());
  checkRestartPolicy(hostConfig.RestartPolicy ?? {}, hostConfig.AutoRemove === true);
  if (bindings !== undefined) room.parts.networks.validate({ ...entry.document, name: entry.name, hostConfig });
  if (entry.run !== undefined) {
    const { devices: _unchanged, ...resources } = linuxResources(hostConfig, []);
    if (Object.keys(resources).length > 0) await (await room.driver(entry)).update({ id: entry.id, resources }, room.context());
  }
  const isPublished = bindings === undefined || entry.run === undefined || (await publish(room, entry, hostConfig));
  await record(room, entry, { hostConfig, isChangeOfPorts: bindings !== undefined });
  room.announce(entry, 'update');
  const notYet = `container ${entry.name} has no network that publishes ports: they are published when it gets one`;
  return { warnings: isPublished ? warnings : [...warnings, notYet] };
}

function publish(room: Room, { id, name, document }: Entry, hostConfig: HostConfig): Promise<boolean> {
  return room.parts.networks.publish({ ...document, id, name, hostConfig });
}

/** Ports that were changed are as before when the change could not be recorded. */
async function record(
  room: Room,
  entry: Entry,
  { hostConfig, isChangeOfPorts }: { readonly hostConfig: HostConfig; readonly isChangeOfPorts: boolean },
): Promise<void> {
  try {
    room.store.setDocument(entry, { hostConfig });
  } catch (error) {
    if (isChangeOfPorts && entry.run !== undefined) await publish(room, entry, entry.document.hostConfig);
    throw error;
  }
}

/** The new name is used from here on, by DNS too. `conflict` when it is taken. */
export async function renameContainer(room: Room, entry: Entry, newName: string): Promise<void> {
  if (newName === '') throw invalidArgument('Neither old nor new names may be empty');
  using _held = await room.lock(entry);
  const oldName = entry.name;
  try {
    const name = checkContainerName(newName);
    if (name === oldName) throw invalidArgument('Renaming a container with the same name as its current name');
    using _reserved = room.store.reserve(name, entry.id);
    room.store.rename(entry, name);
    room.parts.networks.renamed(entry.id, name);
  } catch (error) {
    throw withPrefix(error, 'Error when allocating new name: ');
  }
  room.announce(entry, 'rename', { oldName: `/${oldName}` });
}

/** Docker's clients send every field: 0, "", null and empty objects mean "as it is". */
function isGiven(value: unknown): boolean {
  if (value === undefined || value === null || value === 0 || value === '' || value === false) return false;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value !== 'object' || Object.values(value).some(isGiven);
}

function withPrefix(error: unknown, prefix: string): unknown {
  if (!GantryError.is(error) || error.message.startsWith('Renaming')) return error;
  return new GantryError(error.code, `${prefix}${error.message}`, { cause: error });
}
