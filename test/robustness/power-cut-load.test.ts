import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { load } from './operations/load.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('a load', load, { withPowerCut: true });
