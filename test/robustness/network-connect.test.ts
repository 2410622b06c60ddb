import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { connectContainer } from './operations/network.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('connecting a running container', connectContainer);
