import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { shrinkVolume } from './operations/volume.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('less room for a volume', shrinkVolume, { withPowerCut: true });
