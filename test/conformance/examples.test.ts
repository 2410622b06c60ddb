import { join } from 'node:path';
import { after } from 'node:test';
import { conformance } from '@gantry/sdk/conformance';
import { realWorld } from '../support/plugins/conformance-world.ts';
import { withExt4 } from '../support/disks/ext4.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';

inNamespaces(import.meta.url);

const examples = join(import.meta.dirname, '../examples');
const disk = withExt4({ sizeMiB: 512 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

// There is no NFS server here, and no image: their mounts are looked at only.
conformance(join(examples, 'nfs'));
conformance(join(examples, 'squashfs'));
conformance(join(examples, 'folders'), { world: realWorld });
conformance(join(examples, 'overlay-mini'), { world: realWorld, root: disk.path });
conformance(join(examples, 'mini-bridge'), { world: realWorld });
