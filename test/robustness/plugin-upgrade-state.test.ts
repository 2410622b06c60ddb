import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { upgradePlugin } from './operations/plugin-upgrade.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

// The second version may not run beside the first, and writes the state in its own format as soon as it runs.
const migrating = {
  state: { version: 2, upgrade: 'exclusive' },
  settings: { type: 'object', properties: { migrates: { type: 'boolean', default: true } } },
} as const;

killAtEach(
  'upgrading a plugin to another format of its state',
  upgradePlugin(['plugin.upgrade.started', 'plugin.upgrade.commit', 'plugin.upgrade.committed', 'plugin.upgrade.switched'], migrating),
);
