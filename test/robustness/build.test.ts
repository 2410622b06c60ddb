import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { build } from './operations/build.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('a build', build);
