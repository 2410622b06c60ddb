import { notFound, notImplemented } from '@gantry/sdk';
import type { PluginInfo } from '@gantry/sdk/engine';
import { get, post, remove, type Route } from './route.ts';

const byHand = (): never => {
  throw notImplemented('plugins are installed with `gantry plugin`, not from a registry');
};

/** The engine's own plugins in the shape of Docker's managed ones: to see, not to change. */
export const pluginRoutes: readonly Route[] = [
  get('/plugins', (call) => call.send(call.engine.plugins.list().map(pluginDocument))),
  get('/plugins/privileges', byHand),
  get('/plugins/:name/json', (call) => call.send(pluginDocument(find(call.engine.plugins.list(), call.param('name'))))),
  post('/plugins/pull', byHand),
  post('/plugins/create', byHand),
  ...['enable', 'disable', 'upgrade', 'push', 'set'].map((verb) =>
    post(`/plugins/:name/${verb}`, (call) => {
      find(call.engine.plugins.list(), call.param('name'));
      byHand();
    }),
  ),
  remove('/plugins/:name', (call) => {
    find(call.engine.plugins.list(), call.param('name'));
    byHand();
  }),
];

function find(plugins: readonly PluginInfo[], name: string): PluginInfo {
  const plugin = plugins.find((known) => known.name === name);
  if (plugin === undefined) throw notFound(`plugin ${JSON.stringify(name)} not found`);
  return plugin;
}

function pluginDocument({ name, version, description, state, placement, provides }: PluginInfo) {
  return {
    Id: name,
    Name: name,
    Enabled: state !== 'failed' && state !== 'disabled',
    PluginReference: `${name}:${version}`,
    Settings: { Mounts: [], Env: [], Args: [], Devices: [] },
    Config: {
      Description: description,
      Documentation: '',
      Interface: {
        Types: provides.map(({ contract }) => ({ Prefix: 'gantry', Capability: contract, Version: '1' })),
        Socket: placement,
      },
      Entrypoint: [],
      WorkDir: '',
      Network: { Type: '' },
      Linux: { Capabilities: null, AllowAllDevices: false, Devices: null },
      PropagatedMount: '',
      IpcHost: false,
      PidHost: false,
      Mounts: null,
      Env: null,
      Args: { Name: '', Description: '', Settable: null, Value: null },
    },
  };
}
