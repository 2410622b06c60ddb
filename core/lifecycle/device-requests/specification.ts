import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type Yaml from 'yaml';
import { conflict, invalidArgument, messageOf } from '@gantry/sdk';

/** What a device of the Container Device Interface changes in a container; CNCF's CDI specification 0.8. */
export interface Edits {
  readonly env?: readonly string[];
  readonly deviceNodes?: readonly DeviceNode[];
  readonly mounts?: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly type?: string;
    readonly options?: readonly string[];
  }[];
  readonly hooks?: readonly {
    readonly hookName: string;
    readonly path: string;
    readonly args?: readonly string[];
    readonly env?: readonly string[];
    readonly timeout?: number;
  }[];
  readonly additionalGids?: readonly number[];
}
export interface DeviceNode {
  readonly path: string;
  readonly hostPath?: string;
  readonly permissions?: string;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}
export interface Device {
  /** "vendor.com/class=name" */
  readonly name: string;
  /** The edits of its kind as a whole, the same object for all devices of a file. */
  readonly ofKind: Edits;
  readonly own: Edits;
}

/** Where vendors' tools write specifications; the later folder counts more. */
export const specificationFolders: readonly string[] = ['/etc/cdi', '/var/run/cdi'];

/**
 * All devices that the files in these folders describe. A file that is none is told with its path by `invalid_argument`, a device that two
 * files of one folder describe by `conflict`: both only for who asks for devices.
 */
export function readDevices(folders: readonly string[]): ReadonlyMap<string, Device> {
  return new Map(folders.flatMap((folder) => [...readFolder(folder)]));
}

function readFolder(folder: string): ReadonlyMap<string, Device> {
  const devices = new Map<string, Device>();
  for (const file of filesIn(folder)) {
    for (const device of readSpecification(join(folder, file))) {
      if (devices.has(device.name)) throw conflict(`${join(folder, file)}: device ${device.name} is in another file of the folder too`);
      devices.set(device.name, device);
    }
  }
  return devices;
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /\.(json|ya?ml)$/.test(name))
      .toSorted();
  } catch {
    return [];
  }
}

function readSpecification(path: string): readonly Device[] {
  const refuse = (what: string) => invalidArgument(`${path} is no CDI specification: ${what}`);
  const content = parse(path, refuse);
  if (!isObject(content) || typeof content['cdiVersion'] !== 'string') throw refuse('it has no cdiVersion');
  const { kind, devices, containerEdits = {} } = content;
  if (typeof kind !== 'string' || !/^[A-Za-z][\w.-]*\/[A-Za-z][\w.-]*$/.test(kind)) throw refuse('its kind is not vendor.com/class');
  if (!Array.isArray(devices)) throw refuse('it has no devices');
  const ofKind = editsOf(containerEdits, refuse);
  return devices.map((device: unknown) => {
    if (!isObject(device) || typeof device['name'] !== 'string' || !/^[\w.:-]+$/.test(device['name'])) throw refuse('a device has no name');
    return { name: `${kind}=${device['name']}`, ofKind, own: editsOf(device['containerEdits'] ?? {}, refuse) };
  });
}

function parse(path: string, refuse: (what: string) => Error): unknown {
  try {
    const text = readFileSync(path, 'utf8');
    // Only who asks for devices needs YAML; numbers are those of 1.1, which vendors' tools are written for: 0600 is octal.
    return path.endsWith('.json')
      ? JSON.parse(text)
      : (createRequire(import.meta.url)('yaml') as typeof Yaml).parse(text, { version: '1.1' });
  } catch (error) {
    throw refuse(messageOf(error));
  }
}

const hookNames = new Set(['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']);

function editsOf(value: unknown, refuse: (what: string) => Error): Edits {
  if (!isObject(value)) throw refuse('containerEdits are no object');
  const { env = [], deviceNodes = [], mounts = [], hooks = [], additionalGids = [], intelRdt } = value;
  if (intelRdt !== undefined) throw refuse('intelRdt is not supported');
  if (!areTexts(env)) throw refuse('env is no list of texts');
  if (!hasTexts(deviceNodes, ['path'])) throw refuse('a device node has no path');
  if (!hasTexts(mounts, ['hostPath', 'containerPath'])) throw refuse('a mount has no hostPath or no containerPath');
  if (!hasTexts(hooks, ['hookName', 'path'])) throw refuse('a hook has no hookName or no path');
  const unknown = hooks.map(({ hookName }) => String(hookName)).find((name) => !hookNames.has(name));
  if (unknown !== undefined) throw refuse(`there are no hooks ${unknown}`);
  if (!Array.isArray(additionalGids) || !additionalGids.every((gid) => Number.isSafeInteger(gid) && gid >= 0))
    throw refuse('additionalGids are no numbers of groups');
  return value;
}

function hasTexts(items: unknown, names: readonly string[]): items is readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(items) && items.every((item: unknown) => isObject(item) && names.every((name) => typeof item[name] === 'string'));
}

const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every((each) => typeof each === 'string');
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
