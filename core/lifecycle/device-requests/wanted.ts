import { type GantryError, invalidArgument } from '@gantry/sdk';
import type { DeviceRequest, HostConfig } from '@gantry/sdk/engine';
import { type Device, readDevices, specificationFolders } from './specification.ts';

/** What `--gpus` asks for without saying whose. */
const gpuKind = 'nvidia.com/gpu';
const mostGpus = 1_024;

/**
 * The devices that a container asks for, by `--device vendor.com/class=name` or `--gpus`. Whatever is not there is `invalid_argument` in
 * Docker's words, with what is.
 */
export function wantedDevices({ DeviceRequests }: HostConfig, folders: readonly string[] = specificationFolders): readonly Device[] {
  const requests = DeviceRequests ?? [];
  if (requests.length === 0) return [];
  const known = readDevices(folders);
  const names = requests.flatMap((request) => namesOf(request, known));
  const missing = names.filter((name) => !known.has(name));
  if (missing.length > 0) {
    throw invalidArgument(`CDI device injection failed: unresolvable CDI devices ${missing.join(', ')}`, { hint: hintOf(known, folders) });
  }
  return [...new Set(names)].flatMap((name) => known.get(name) ?? []);
}

function namesOf(request: DeviceRequest, known: ReadonlyMap<string, Device>): readonly string[] {
  const { Driver = '', DeviceIDs, Count = 0, Capabilities } = request;
  const ids = DeviceIDs ?? [];
  if (Driver === 'cdi') {
    if (ids.length === 0)
      throw invalidArgument('a device request of driver "cdi" names no device', { hint: 'DeviceIDs are vendor.com/class=name' });
    return ids;
  }
  const wantsGpus = (Capabilities ?? []).some((all) => all.includes('gpu'));
  if (!wantsGpus || !['', 'nvidia'].includes(Driver) || !hasKind(known, gpuKind)) throw noDriver(request);
  if (ids.length > 0 && Count !== 0) throw invalidArgument('cannot set both Count and DeviceIDs on device request');
  if (Count > mostGpus) throw invalidArgument(`a device request for ${Count} GPUs: there are at most ${mostGpus}`);
  const wanted = ids.length > 0 ? ids : Count < 0 ? ['all'] : Array.from({ length: Count }, (_, index) => String(index));
  return wanted.map((id) => `${gpuKind}=${id}`);
}

function noDriver({ Driver = '', Capabilities }: DeviceRequest): GantryError {
  const capabilities = (Capabilities ?? []).map((all) => `[${all.join(' ')}]`).join(' ');
  return invalidArgument(`could not select device driver "${Driver}" with capabilities: [${capabilities}]`, {
    hint: 'devices are described by CDI files, which vendors’ tools write (nvidia-ctk cdi generate), or are mapped with --device /dev/…',
  });
}

const hasKind = (known: ReadonlyMap<string, Device>, kind: string): boolean =>
  [...known.keys()].some((name) => name.startsWith(`${kind}=`));

const mostNamed = 10;

function hintOf(known: ReadonlyMap<string, Device>, folders: readonly string[]): string {
  if (known.size === 0) return `there are no specifications in ${folders.join(' and ')}`;
  const names = [...known.keys()];
  return `there are ${names.slice(0, mostNamed).join(', ')}${names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ''}`;
}
