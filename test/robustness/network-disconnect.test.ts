import { inNamespaces } from '../support/machine/namespaces.ts';
import { killAtEach } from './kill-at-each.ts';
import { disconnectContainer } from './operations/network.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

killAtEach('disconnecting a running container', disconnectContainer);
