import { after } from 'node:test';
import { withExt4 } from '../../support/disks/ext4.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { testAgainstUmoci } from '../../support/images/umoci.ts';

inNamespaces(import.meta.url);
const disk = withExt4({ sizeMiB: 1024 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

for (const driver of ['overlay2', 'vfs']) testAgainstUmoci({ driver, root: disk.path });
