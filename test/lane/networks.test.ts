import { testInLane } from './suite.ts';

// Kinds of links that this machine's kernel may lack: dummy, vlan, ipvlan. User-mode Linux has them, but no nftables.
testInLane({
  kernel: 'vm',
  modules: ['ipvlan', 'macvlan', 'dummy', '8021q'],
  files: ['test/integration/networks/macvlan.test.ts', 'test/integration/networks/ipvlan.test.ts'],
  fileTimeoutMs: 10 * 60_000,
});
