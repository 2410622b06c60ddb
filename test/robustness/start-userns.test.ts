import { inNamespaces } from '../support/machine/namespaces.ts';
import { withRemapUser } from '../support/machine/remap-user.ts';
import { killAtEach } from './kill-at-each.ts';
import { start } from './operations/start.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });
withRemapUser();

const failpoints = [
  'start.userns',
  'rw.mapped',
  'start.rw.mount',
  'start.netns',
  'start.vol.mount',
  'start.bundle',
  'start.runtime.create',
  'start.event',
];
killAtEach('a start in a user namespace', { ...start, failpoints }, { flags: ['--userns-remap', 'default'] });
