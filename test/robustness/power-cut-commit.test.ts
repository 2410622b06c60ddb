import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { commit } from './operations/commit.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('a commit', commit, { withPowerCut: true });
