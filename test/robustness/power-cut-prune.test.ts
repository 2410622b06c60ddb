import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { pruneImages } from './operations/image-remove.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('a prune of images', pruneImages, { withPowerCut: true });
