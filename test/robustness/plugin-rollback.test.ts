import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { rollBackPlugin } from './operations/plugin-upgrade.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach(
  'taking back the upgrade of a plugin',
  rollBackPlugin(['plugin.upgrade.started', 'plugin.upgrade.commit', 'plugin.upgrade.committed', 'plugin.rollback.switched']),
);
