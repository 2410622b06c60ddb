import { testInLane } from './suite.ts';

// Nothing but cgroup v2: what limits plugins and containers, and what tells how they fare.
testInLane({
  kernel: 'uml',
  files: [
    'test/integration/plugin-launch/sandbox.test.ts',
    'test/integration/plugin-launch/life.test.ts',
    'test/integration/plugin-launch/unified.test.ts',
    'test/integration/plugin-launch/engine-killed.test.ts',
    'test/integration/plugin-launch/refusals.test.ts',
    'test/conformance/exec-oci-crun-v2.test.ts',
    'test/conformance/exec-oci-runc.test.ts',
    'test/integration/lifecycle/cgroups.test.ts',
    'test/integration/lifecycle/run.test.ts',
    'test/integration/lifecycle/recover.test.ts',
    'test/integration/lifecycle/runtimes.test.ts',
  ],
  fileTimeoutMs: 10 * 60_000,
});
