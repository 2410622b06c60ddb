import { join } from 'node:path';
import { after } from 'node:test';
import { conformance } from '@gantry/sdk/conformance';
import { withExt4 } from '../support/disks/ext4.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const top = join(import.meta.dirname, '../..');
const disk = withExt4({ sizeMiB: 256 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

const only = ['chaos.*'];

// What strangers wrote in a few lines, and what is shipped: in processes of their own, behind a proxy that does its worst.
for (const dir of ['folders', 'folders-sh', 'nfs', 'mini-bridge']) conformance(join(top, 'test/examples', dir), { chaos: true, only });
conformance(join(top, 'test/examples/overlay-mini'), { chaos: true, only, root: disk.path });
for (const driver of ['volume/local', 'ipam/default', 'network/bridge'])
  conformance(join(top, 'plugins', driver), { chaos: true, only, drivers: [driver] });
for (const dir of ['graph/overlay2', 'graph/vfs']) conformance(join(top, 'plugins', dir), { chaos: true, only, root: disk.path });
