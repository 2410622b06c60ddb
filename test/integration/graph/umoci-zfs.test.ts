import { mkdtempSync, rmdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Zfs } from '../../../plugins/graph/zfs/zfs.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { quietLog } from '../../support/machine/quiet-log.ts';
import { testAgainstUmoci } from '../../support/images/umoci.ts';
import { missingForZfs, withZfsPool } from '../../support/disks/zfs-pool.ts';

inNamespaces(import.meta.url, { missing: missingForZfs() });
const pool = withZfsPool({ sizeMiB: 512 });
// umoci's trees are on the pool as well: what a file system keeps of times and attributes is its own affair.
execFileSync('zfs', ['create', '-o', 'mountpoint=legacy', '-o', 'acltype=posix', '-o', 'xattr=sa', `${pool.name}/data`]);
const root = mkdtempSync(join(tmpdir(), 'zfs-data-'));
execFileSync('mount', ['-t', 'zfs', `${pool.name}/data`, root]);
after(async () => {
  execFileSync('umount', [root]);
  rmdirSync(root);
  await pool[Symbol.asyncDispose]();
});
leakGuard();

testAgainstUmoci({
  driver: 'zfs',
  root,
  graph: { zfs: (folder) => new Zfs(folder, { parent: pool.name, log: quietLog }) },
  privileges: { mountTypes: ['zfs'] },
});
