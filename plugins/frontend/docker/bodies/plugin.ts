import { checkManifest, type Manifest } from '@gantry/sdk';
import type { Placement, Privilege } from '@gantry/sdk/engine';
import { anything, flag, list, map, object, type Shape, text, word } from '../http/shape.ts';

const privilegeFields = object('PluginPrivilege', { Name: text, Description: text, Value: list(text) });
const privilege: Shape<Privilege> = {
  goType: 'PluginPrivilege',
  read: (value, path) => {
    const { Name: name = '', Description: description = '', Value: given = [] } = privilegeFields.read(value, path);
    return { name, description, value: given };
  },
};

/** What docker sends to pull and upgrade: nothing counts as no privileges. */
export const privileges: Shape<readonly Privilege[]> = {
  goType: '[]PluginPrivilege',
  read: (value, path) => (value === null ? [] : list(privilege).read(value, path)),
};
export const assignments = list(text);

const grant: Shape<readonly Privilege[] | 'all'> = {
  goType: 'Grant',
  read: (value, path) => (value === 'all' ? 'all' : list(privilege).read(value, path)),
};
const settings = map(anything);

export const installPlugin = object('InstallRequest', {
  source: text,
  alias: text,
  grant,
  enable: flag,
  settings,
  placement: word<Placement>(),
});
export const upgradePlugin = object('UpgradeRequest', { source: text, grant });
export const setPlugin = object('SetRequest', { settings });
export const gcAlways = object('GcAlwaysRequest', { always: flag });
export const callPlugin = object('CallRequest', { kind: text, driver: text, method: text, request: anything, dryRun: flag });
export const preferDriver = object('DefaultRequest', { kind: text, driver: text });
export const bindPlugin = object('BindRequest', { kind: text, driver: text, plugin: text });
const manifest: Shape<Manifest> = { goType: 'Manifest', read: checkManifest };
export const attachPlugin = object('AttachRequest', { address: text, token: text, manifest, alias: text });
