import { after } from 'node:test';
import { missingForDisk, withDisk } from '../support/disk.ts';
import { testGraphDriver } from '../support/graph-suite.ts';
import { leakGuard } from '../support/leak-guard.ts';
import { inNamespaces } from '../support/namespaces.ts';

inNamespaces(import.meta.url, { missing: missingForDisk('btrfs') });

const disk = withDisk('btrfs', { sizeMiB: 2048 });
leakGuard();

testGraphDriver({ name: 'btrfs', root: disk.path });
// Last: the plugin's folders are on it.
after(() => disk[Symbol.asyncDispose]());
