import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { mountVolume } from './operations/volume-mount.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('mounting a volume', mountVolume);
