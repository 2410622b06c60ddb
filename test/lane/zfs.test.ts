import { testInLane } from './suite.ts';

// The driver, in every placement; what a power cut takes; an engine on data sets.
testInLane({
  kernel: 'vm',
  modules: ['zfs', 'loop'],
  files: ['test/conformance/graph-zfs-power-cut.test.ts', 'test/robustness/zfs.test.ts', 'test/conformance/graph-zfs.test.ts'],
  fileTimeoutMs: 30 * 60_000,
});
