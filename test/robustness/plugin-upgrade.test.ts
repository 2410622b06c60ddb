import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { upgradePlugin } from './operations/plugin-upgrade.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach(
  'upgrading a plugin',
  upgradePlugin([
    'plugin.rename',
    'plugin.upgrade.fetched',
    'plugin.upgrade.started',
    'plugin.upgrade.commit',
    'plugin.upgrade.committed',
    'plugin.upgrade.switched',
  ]),
);
