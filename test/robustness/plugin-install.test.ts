import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { installPlugin } from './operations/plugin-install.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('installing a plugin', installPlugin);
