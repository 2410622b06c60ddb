import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { pruneVolumes } from './operations/volume.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('a prune of volumes', pruneVolumes, { withPowerCut: true });
