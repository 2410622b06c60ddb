import { execFileSync } from 'node:child_process';
import { after } from 'node:test';
import { FuseOverlayfs } from '../../../plugins/graph/fuse-overlayfs/fuse-overlayfs.ts';
import { withExt4 } from '../../support/disks/ext4.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { missing } from '../../support/disks/squashfs.ts';
import { testAgainstUmoci } from '../../support/images/umoci.ts';

inNamespaces(import.meta.url, { missing: missing('/usr/bin/fuse-overlayfs') ?? missing('/dev/fuse') });
const disk = withExt4({ sizeMiB: 1024 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

/** What version 1.10 does when it is run by hand as root, too; other versions are tried. */
const limitsOf110 = {
  'hard links': 'fuse-overlayfs 1.10 copies one name of a hard link up and leaves the others below',
  'devices, fifos, and bits': 'fuse-overlayfs 1.10 opens a device of a lower layer to remove it, which a mount with nodev refuses',
  'folders that upper layers do not name': 'fuse-overlayfs 1.10 takes time and set-group-id bit off a folder that it copies up',
};
const version = /fuse-overlayfs: version (\S+)/.exec(execFileSync('fuse-overlayfs', ['--version'], { encoding: 'utf8' }))?.[1];
const capabilities = 'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID MKNOD SETFCAP SYS_ADMIN'.split(' ').map((name) => `CAP_${name}`);

testAgainstUmoci({
  driver: 'fuse-overlayfs',
  root: disk.path,
  graph: { 'fuse-overlayfs': (folder) => new FuseOverlayfs(folder) },
  privileges: { mountTypes: ['fuse'], capabilities },
  ...(version === '1.10' ? { limits: limitsOf110 } : {}),
});
