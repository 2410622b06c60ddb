import { notImplemented } from '../errors.ts';
import { dockerDrivers, settingNames } from '../legacy/index.ts';
import { type DockerKind, dockerKinds, socketFolder } from '../legacy/wire.ts';
import type { Manifest, Privileges } from '../manifest.ts';

/** config.json of a managed plugin, in the letters that Docker writes it in. */
export interface ManagedConfig {
  readonly description: string;
  readonly documentation: string;
  readonly interface: { readonly types: readonly string[]; readonly socket: string };
  readonly entrypoint: readonly string[];
  readonly workdir: string;
  readonly network: { readonly type: 'host' | 'none' };
  readonly linux: {
    readonly capabilities: readonly string[];
    readonly allowAllDevices: boolean;
    readonly devices: readonly {
      readonly name: string;
      readonly description: string;
      readonly path: string;
      readonly settable: readonly string[];
    }[];
  };
  readonly mounts: readonly {
    readonly name: string;
    readonly description: string;
    readonly source: string;
    readonly destination: string;
    readonly type: 'bind';
    readonly options: readonly string[];
    readonly settable: readonly string[];
  }[];
  readonly propagatedMount: string;
  readonly ipchost: boolean;
  readonly pidhost: boolean;
  readonly env: readonly {
    readonly name: string;
    readonly description: string;
    readonly value: string;
    readonly settable: readonly string[];
  }[];
  readonly args: {
    readonly name: string;
    readonly description: string;
    readonly settable: readonly string[];
    readonly value: readonly string[];
  };
}

/** Where things are in the root file system. */
export const places = {
  node: '/usr/bin/node',
  code: '/plugin',
  sdk: '/gantry/sdk',
  /** Of what is in a managed plugin only this survives its upgrade. */
  own: '/mnt/gantry',
  /** A Node with its own loader and libraries, in a root that has others or none. */
  ownNode: '/gantry/node',
} as const;

/** The daemon's path of it has the plugin's id in it, and 107 bytes in all. */
const socket = 'plugin.sock';

/**
 * A manifest as Docker's config.json: `program` is the module that serves it, `node` the command line that runs that. Refuses with `not_implemented`, saying why, what Docker's
 * plugins cannot have; `notes` is what they have in another way, for who packs.
 */
export function managedConfig(
  manifest: Manifest,
  { program, node }: { readonly program: string; readonly node: readonly string[] },
): { readonly config: ManagedConfig; readonly notes: readonly string[] } {
  const kinds = dockerDrivers(manifest).map(({ kind }) => kind);
  refuseUnknown(manifest);
  const { privileges = {} } = manifest;
  const { hostPaths = [] } = privileges;
  const devices = devicesFor(kinds, privileges);
  const config: ManagedConfig = {
    description: manifest.description ?? `${manifest.name} ${manifest.version}`,
    documentation: manifest.documentation ?? '',
    interface: { types: kinds.map((kind) => dockerKinds[kind].type), socket },
    entrypoint: [...node, program, places.code, `${socketFolder}/${socket}`, places.own],
    workdir: '/',
    network: { type: needsNetwork(kinds, privileges) ? 'host' : 'none' },
    linux: {
      capabilities: capabilitiesFor(kinds, privileges),
      allowAllDevices: devices.some(isAllDevices),
      devices: devices
        .filter((path) => !isAllDevices(path))
        .map((path) => ({ name: nameOf(path), description: `the device ${path}`, path, settable: [] })),
    },
    mounts: hostPaths.map((path) => ({
      name: nameOf(path),
      description: `the machine's ${path}`,
      source: path,
      // Under the same path, so that what a driver says of the machine holds in here.
      destination: path,
      type: 'bind',
      options: ['rbind', 'rslave'],
      settable: [],
    })),
    propagatedMount: places.own,
    ipchost: privileges.hostIpc === true,
    pidhost: privileges.hostPid === true,
    env: envFor(manifest),
    args: { name: '', description: '', settable: [], value: [] },
  };
  return { config, notes: notesFor(manifest) };
}

function refuseUnknown(manifest: Manifest): void {
  const { name, requires = [], privileges = {} } = manifest;
  const refuse = (why: string, hint?: string): never => {
    throw notImplemented(`plugin ${name} cannot become a Docker plugin: ${why}`, hint === undefined ? {} : { hint });
  };
  const [needed] = requires.filter(({ optional }) => optional !== true);
  if (needed !== undefined) refuse(`it requires the plugin ${needed.plugin}, and Docker's plugins know no others`);
  if (privileges.unconfined === true) refuse('it wants no sandbox at all, and Docker has one for each plugin');
  if (privileges.netns === true) refuse('it enters the network namespaces of containers, and Docker moves their interfaces itself');
  if (privileges.capabilities?.includes('ALL') === true)
    refuse('it wants ALL capabilities, and Docker wants them named', 'name those it needs');
  if (privileges.hostPaths?.some((path) => /^\/+$/.test(path)) === true)
    refuse("it wants the machine's whole file system", 'name the folders it needs');
  const reserved = settingNames(manifest).find(([setting]) => /^(PATH|HOME|NODE_.*|LD_.*)$/.test(setting) || /[=\0]/.test(setting));
  if (reserved !== undefined) refuse(`its setting ${reserved[0]} would be a variable of the environment that means something else`);
}

/** Carrying out what a driver describes is done in the plugin's own container. */
function capabilitiesFor(kinds: readonly DockerKind[], privileges: Privileges): readonly string[] {
  const { capabilities = [], nftables } = privileges;
  const wanted = [
    ...capabilities,
    // A helper is started without any of these.
    ...(hasHelpers(kinds, privileges) ? ['CAP_SETPCAP', 'CAP_SETUID', 'CAP_SETGID'] : []),
    ...(kinds.includes('volume') ? ['CAP_SYS_ADMIN'] : []),
    ...(kinds.includes('network') || nftables === true ? ['CAP_NET_ADMIN'] : []),
  ];
  return [...new Set(wanted)].toSorted();
}

function devicesFor(kinds: readonly DockerKind[], privileges: Privileges): readonly string[] {
  const { devices = [] } = privileges;
  const isThere = devices.some((path) => path === '/dev/fuse' || isAllDevices(path));
  return hasHelpers(kinds, privileges) && !isThere ? [...devices, '/dev/fuse'] : devices;
}

function hasHelpers(kinds: readonly DockerKind[], { mountTypes = [] }: Privileges): boolean {
  return kinds.includes('volume') && mountTypes.includes('fuse');
}

/** A kernel's client of a file server speaks from the network namespace of who mounts. */
const networkFileSystems = new Set(['nfs', 'nfs4', 'cifs', 'smb3', 'ceph', '9p', 'afs']);

function needsNetwork(kinds: readonly DockerKind[], { network, mountTypes = [] }: Privileges): boolean {
  return network === 'host' || kinds.includes('network') || mountTypes.some((type) => networkFileSystems.has(type));
}

function envFor(manifest: Manifest): ManagedConfig['env'] {
  const required = manifest.settings?.['required'];
  const needed = Array.isArray(required) ? required : [];
  return settingNames(manifest).map(([name, schema]) => {
    const { description, default: value } = schema;
    const about = [
      ...(typeof description === 'string' && description !== '' ? [description] : []),
      ...(needed.includes(name) && value === undefined ? ['required'] : []),
      ...(schema['x-secret'] === true ? ['secret'] : []),
    ];
    const text = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
    return { name, description: about.join('; '), value: text, settable: ['value'] };
  });
}

function notesFor(manifest: Manifest): readonly string[] {
  const secrets = settingNames(manifest).flatMap(([name, schema]) => (schema['x-secret'] === true ? [name] : []));
  const { host = [] } = manifest.privileges ?? {};
  return [
    ...(secrets.length === 0 ? [] : [`docker plugin inspect shows ${secrets.join(', ')}: Docker's plugins have no secret settings`]),
    ...(host.length === 0 ? [] : [`${host.join(', ')}: Docker answers no such questions, each look-up will find nothing`]),
  ];
}

function isAllDevices(path: string): boolean {
  return /^\/dev\/*$/.test(path);
}

function nameOf(path: string): string {
  return path.replace(/^\/+/, '').replaceAll(/[^a-zA-Z0-9_.-]+/g, '-');
}
