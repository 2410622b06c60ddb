import { testInLane } from './suite.ts';

// Kinds of links that this machine's kernel may lack: dummy, vlan, ipvlan. User-mode Linux has them, but no nftables, which whole networks need.
testInLane({ kernel: 'uml', files: ['test/integration/networks/parent-links.test.ts'], fileTimeoutMs: 3 * 60_000 });
