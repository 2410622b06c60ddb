import type { PluginInfo } from '@gantry/sdk/engine';
import { pluginSettings } from './plugin-settings.ts';

/** What Docker's clients call the kinds of drivers. */
const capabilities: Readonly<Record<string, string>> = {
  volume: 'volumedriver',
  network: 'networkdriver',
  ipam: 'ipamdriver',
  log: 'logdriver',
  graph: 'graphdriver',
};

/** "docker.volumedriver/1.0", of Gantry's own contracts "gantry.volumedriver/1.0": clients read these texts, not objects. */
export function interfaceTypes({ provides, dockerConfig }: PluginInfo): readonly string[] {
  const given = read(read(dockerConfig, 'Interface'), 'Types');
  if (Array.isArray(given)) return given.filter((type) => typeof type === 'string');
  return provides.map(({ contract }) => `gantry.${capabilities[contract] ?? contract}/1.0`);
}

/** GET /plugins/{name}/json. `Enabled` is the wish: a plugin that cannot start stays enabled. */
export function pluginDocument(plugin: PluginInfo) {
  return {
    Id: plugin.id,
    Name: plugin.name,
    Enabled: plugin.enabled,
    PluginReference: referenceOf(plugin),
    Settings: pluginSettings(plugin),
    Config: plugin.dockerConfig ?? ownConfig(plugin),
  };
}

/** What `docker plugin upgrade` without a source asks for again. */
function referenceOf({ name, version, source }: PluginInfo): string {
  return source.startsWith('oci:') ? source.slice('oci:'.length).replace(/@sha256:.*$/, '') : `${name}:${version}`;
}

/** The config.json that a plugin of ours would have. */
function ownConfig(plugin: PluginInfo) {
  const values = (name: string) => plugin.privileges.filter((privilege) => privilege.name === name).flatMap(({ value }) => value);
  const mounts = values('mount').map((path) => ({
    Name: '',
    Description: '',
    Settable: null,
    Source: path,
    Destination: path,
    Type: 'bind',
    Options: ['rbind'],
  }));
  const capabilityList = values('capabilities');
  return {
    Description: plugin.description,
    Documentation: '',
    Interface: { Types: interfaceTypes(plugin), Socket: plugin.placement },
    Entrypoint: [],
    WorkDir: '',
    Network: { Type: values('network')[0] ?? '' },
    Linux: { Capabilities: capabilityList.length === 0 ? null : capabilityList, AllowAllDevices: false, Devices: null },
    PropagatedMount: '',
    IpcHost: values('host ipc namespace').length > 0,
    PidHost: values('host pid namespace').length > 0,
    Mounts: mounts.length === 0 ? null : mounts,
    Env: Object.keys(plugin.settings).map((name) => ({ Name: name, Description: '', Settable: ['value'], Value: '' })),
    Args: { Name: '', Description: '', Settable: null, Value: null },
  };
}

function read(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
