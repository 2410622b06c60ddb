import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { removeNetwork } from './operations/network.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('removing a network', removeNetwork, { withPowerCut: true });
