import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { createNetwork } from './operations/network.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('creating a network', createNetwork, { withPowerCut: true });
