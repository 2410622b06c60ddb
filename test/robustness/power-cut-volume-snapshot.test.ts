import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { snapshotVolume } from './operations/volume.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('the snapshot of a volume', snapshotVolume, { withPowerCut: true });
