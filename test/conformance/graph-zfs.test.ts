import { tmpdir } from 'node:os';
import { after } from 'node:test';
import { testGraphDriver } from '../support/plugins/graph-suite.ts';
import { leakGuard } from '../support/machine/leak-guard.ts';
import { inNamespaces } from '../support/machine/namespaces.ts';
import { missingForZfs, withZfsPool } from '../support/disks/zfs-pool.ts';

inNamespaces(import.meta.url, { missing: missingForZfs() });

const pool = withZfsPool({ sizeMiB: 2048 });
// Data sets go one after the other, each by a process of its own.
leakGuard();

testGraphDriver({
  name: 'zfs',
  root: tmpdir(),
  config: { 'zfs.fsname': pool.name },
  facts: { usedBytes: () => pool.usedBytes() },
  privileges: { mountTypes: ['zfs'] },
});
// Last: the plugin's data sets are in it.
after(() => pool[Symbol.asyncDispose]());
