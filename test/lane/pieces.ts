import type { LanePiece } from './piece.ts';

const minute = 60_000;
/** Cases for which an emulated machine needs minutes each have pieces of their own. */
const quick = 'graph\\.(?!deep\\.127|space\\.)';
/** What of a driver's answers a caller hangs on; that cases of trees ask for the same is told by the pieces of each placement. */
const told = 'graph\\.(prepare|attach|detach|commit|remove|list|usage|quota)\\.|answers the same';

/** The long run, by name: each boots a guest of its own, has a time of its own (about three times what an idle machine needs) and can be run alone. */
export const pieces: Readonly<Record<string, LanePiece>> = {
  // Kinds of links that this machine's kernel may lack: dummy, vlan, ipvlan. User-mode Linux has them, but no nftables, which whole networks need.
  links: uml('integration/networks/parent-links', 3),
  // Whole networks of those kinds, with names, ports and the firewall.
  ipvlan: vm('integration/networks/ipvlan', 25, { modules: ['ipvlan', 'veth', 'bridge', 'dummy', 'nf_tables', 'nf_conntrack_netlink'] }),
  // Nothing but cgroup v2: what limits plugins and containers, and what tells how they fare.
  'v2-sandbox': uml('integration/plugin-launch/sandbox', 10),
  // User-mode Linux 6.12 itself hangs when a fork is refused by pids.max, as the fork bomb in it is.
  'v2-life': vm('integration/plugin-launch/life', 20),
  'v2-unified': uml('integration/plugin-launch/unified', 5),
  'v2-engine-killed': uml('integration/plugin-launch/engine-killed', 5),
  'v2-refusals': uml('integration/plugin-launch/refusals', 5),
  'v2-exec-crun-in-process': uml('conformance/exec-oci-crun-v2', 20, 'in-process'),
  'v2-exec-crun-worker': uml('conformance/exec-oci-crun-v2', 20, 'worker'),
  'v2-exec-crun-process': uml('conformance/exec-oci-crun-v2', 20, 'process'),
  'v2-exec-runc-in-process': uml('conformance/exec-oci-runc', 20, 'in-process'),
  'v2-exec-runc-process': uml('conformance/exec-oci-runc', 20, 'process'),
  'v2-cgroups': uml('integration/lifecycle/cgroups', 10),
  'v2-run': uml('integration/lifecycle/run', 15),
  'v2-recover': uml('integration/lifecycle/recover', 10),
  'v2-runtimes': uml('integration/lifecycle/runtimes', 5),
  // User namespaces with either runtime. User-mode Linux has no nftables, which bridges need.
  'v2-userns': vm('integration/lifecycle/user-namespaces', 45, { modules: ['veth', 'bridge', 'nf_tables', 'nf_conntrack_netlink'] }),
  'v2-block-io': vm('integration/lifecycle/block-io', 15, { modules: ['loop'] }),
  // The driver in each placement; what a power cut takes; an engine on data sets; trees as another program makes them.
  'zfs-in-process': zfs('conformance/graph-zfs', 40, { only: quick, placement: 'in-process' }),
  'zfs-worker': zfs('conformance/graph-zfs', 40, { only: quick, placement: 'worker' }),
  'zfs-process': zfs('conformance/graph-zfs', 40, { only: quick, placement: 'process' }),
  'zfs-answers': zfs('conformance/graph-zfs', 40, { only: told }),
  'zfs-deep': zfs('conformance/graph-zfs', 40, { only: 'graph\\.deep\\.127-layers$', placement: 'worker' }),
  'zfs-many': zfs('conformance/graph-zfs', 15, { only: 'graph\\.space\\.', placement: 'process' }),
  'zfs-power-cut': zfs('conformance/graph-zfs-power-cut', 10),
  'zfs-engine': zfs('robustness/zfs', 30),
  'zfs-umoci': zfs('integration/graph/umoci-zfs', 30),
};

/** Linux as a process: cheap, and good for what needs no modules. */
function uml(file: string, minutes: number, placement?: string): LanePiece {
  return { kernel: 'uml', files: [`test/${file}.test.ts`], timeoutMs: minutes * minute, ...inPlacement(placement) };
}

function vm(file: string, minutes: number, more: Pick<LanePiece, 'modules' | 'only' | 'env'> = {}): LanePiece {
  return { kernel: 'vm', files: [`test/${file}.test.ts`], timeoutMs: minutes * minute, ...more };
}

function zfs(file: string, minutes: number, { only, placement }: { readonly only?: string; readonly placement?: string } = {}): LanePiece {
  return vm(file, minutes, {
    modules: ['zfs', 'loop'],
    ...(only !== undefined && { only }),
    ...inPlacement(placement),
  });
}

function inPlacement(placement: string | undefined): Pick<LanePiece, 'env'> {
  return placement === undefined ? {} : { env: { GANTRY_TEST_PLACEMENT: placement } };
}
