import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { growVolume } from './operations/volume.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('more room for a volume', growVolume, { withPowerCut: true });
