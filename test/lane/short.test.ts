import { testInLane } from './suite.ts';

// What of the long run fits into the time that everybody has. With a guest's boot: at most eight minutes, most of which is the second guest's.
testInLane({
  kernel: 'uml',
  files: ['test/integration/plugin-launch/unified.test.ts', 'test/integration/lifecycle/cgroups.test.ts'],
  budgetMs: 2 * 60_000,
});
testInLane({
  kernel: 'vm',
  modules: ['zfs', 'loop'],
  files: ['test/conformance/graph-zfs.test.ts'],
  env: { GANTRY_TEST_PLACEMENT: 'process' },
  // What makes as many as there is time for, and what the long run has: an emulated processor takes minutes for each.
  leftOut: 'graph\\.(space\\.|deep\\.127|parallel\\.32|big-file)',
  budgetMs: 4 * 60_000,
});
