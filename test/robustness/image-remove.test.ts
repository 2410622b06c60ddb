import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { removeImage } from './operations/image-remove.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('the removal of an image', removeImage);
