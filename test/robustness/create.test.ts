import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { create } from './operations/create.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('a create', create);
