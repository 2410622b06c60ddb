import { after } from 'node:test';
import { missingForDisk, withDisk } from '../support/disks/disk.ts';
import { testGraphDriver } from '../support/plugins/graph-suite.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url, { missing: missingForDisk('btrfs') });

const disk = withDisk('btrfs', { sizeMiB: 2048 });
leakGuard();

testGraphDriver({ name: 'btrfs', root: disk.path });
// Last: the plugin's folders are on it.
after(() => disk[Symbol.asyncDispose]());
