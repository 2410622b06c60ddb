import { execFileSync } from 'node:child_process';
import { after, test } from 'node:test';
import { withExt4 } from '../support/disks/ext4.ts';
import { testGraphDriver } from '../support/plugins/graph-suite.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { missing } from '../support/disks/squashfs.ts';

inNamespaces(import.meta.url);

/** What version 1.10 does when it is run by hand as root, too; other versions are tried. */
const limitsOf110 = {
  'fifo-socket': 'fuse-overlayfs 1.10 answers EIO to a chmod of a fifo that is in a lower layer',
  'big-file.4GiB': 'fuse-overlayfs 1.10 copies a sparse file up with its holes, which is more than this disk has',
  'hardlink.to-lower-breaks-copy-up-documented': 'fuse-overlayfs 1.10 may copy a hard link of a lower layer up under another of its names',
  'perm.dir-mode-on-commit': 'fuse-overlayfs 1.10 takes the set-group-id bit off a folder that it copies up',
};

const reason = missing('/usr/bin/fuse-overlayfs') ?? missing('/dev/fuse');
if (reason !== undefined) test('the fuse-overlayfs graph driver', { skip: reason });
else {
  const version = /fuse-overlayfs: version (\S+)/.exec(execFileSync('/usr/bin/fuse-overlayfs', ['--version'], { encoding: 'utf8' }))?.[1];
  // 131,072 inodes: ten thousand snapshots take five each.
  const disk = withExt4({ sizeMiB: 2048 });
  leakGuard();
  const capabilities = 'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID MKNOD SETFCAP SYS_ADMIN'.split(' ').map((name) => `CAP_${name}`);
  testGraphDriver({
    name: 'fuse-overlayfs',
    root: disk.path,
    privileges: { mountTypes: ['fuse'], capabilities },
    ...(version === '1.10' ? { limits: limitsOf110 } : {}),
  });
  // Last: the plugin's folders are on it.
  after(() => disk[Symbol.asyncDispose]());
}
