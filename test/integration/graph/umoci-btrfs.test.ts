import { after } from 'node:test';
import { Btrfs } from '../../../plugins/graph/btrfs/btrfs.ts';
import { settingsOf } from '../../../plugins/graph/btrfs/settings.ts';
import { missingForDisk, withDisk } from '../../support/disks/disk.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { testAgainstUmoci } from '../../support/images/umoci.ts';

inNamespaces(import.meta.url, { missing: missingForDisk('btrfs') });
const disk = withDisk('btrfs', { sizeMiB: 1024 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

testAgainstUmoci({ driver: 'btrfs', root: disk.path, graph: { btrfs: (folder) => new Btrfs(folder, settingsOf({})) } });
