import { testShortRun } from './suite.ts';

// What of the long run fits into the time that everybody has. With the guests' boots it takes eight minutes at most.
testShortRun({
  kernel: 'uml',
  files: ['test/integration/plugin-launch/unified.test.ts', 'test/integration/lifecycle/cgroups.test.ts'],
  timeoutMs: 2 * 60_000,
});
testShortRun({
  kernel: 'vm',
  modules: ['zfs', 'loop'],
  files: ['test/conformance/graph-zfs.test.ts'],
  env: { GANTRY_TEST_PLACEMENT: 'process' },
  // What hangs on ZFS: the rest is SnapshotDriver's, which other drivers prove here.
  only: `graph\\.(${[
    'prepare.child-sees-parent',
    'usage.grows-by-written',
    'quota.enforced-ENOSPC',
    'quota.resize',
    'attach.ro-is-readonly',
    'commit.content',
    'remove.keep-children',
    'remove.while-attached',
    'remove.ok-frees-space',
    'dir.delete-opaque',
    'xattr.security-capability-kept',
    'acl.posix',
    'diff.added-changed-deleted',
    'diff.apply-roundtrip-equal-tree',
    'attach.after-restart',
    'commit.atomic-under-kill9',
  ].join('|')})`,
  timeoutMs: 5 * 60_000,
});
