import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { renameVolume } from './operations/volume.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('the new name of a volume', renameVolume, { withPowerCut: true });
