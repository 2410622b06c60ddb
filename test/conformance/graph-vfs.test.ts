import { after } from 'node:test';
import { withExt4 } from '../support/disks/ext4.ts';
import { testGraphDriver } from '../support/plugins/graph-suite.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

// 131,072 inodes: ten thousand snapshots take five each.
const disk = withExt4({ sizeMiB: 2048 });
leakGuard();

testGraphDriver({ name: 'vfs', root: disk.path });
// Last: the plugin's folders are on it.
after(() => disk[Symbol.asyncDispose]());
