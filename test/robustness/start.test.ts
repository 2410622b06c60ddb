import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { start } from './operations/start.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('a start', start);
