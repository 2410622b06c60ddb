import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { remove } from './operations/remove.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('a remove', remove, { withPowerCut: true });
