/**
 * What a plugin may not ask of the kernel: what the engine's sandbox filters, and its conformance watches for. It is what Docker's default profile leaves out for containers, and what traces other processes. Everything that came after
 * `firstUnknown` is refused as well, until somebody has looked at it.
 */
export interface DeniedCall {
  readonly name: string;
  /** Absent where the architecture lacks it. */
  readonly x64?: number;
  readonly arm64?: number;
}

/** The first number that no one has looked at: Linux 6.15's open_tree_attr. */
export const firstUnknown = 467;

/** Calls by the capabilities that allow them, any one of them. */
export const deniedUnless: readonly { readonly capabilities: readonly string[]; readonly calls: readonly DeniedCall[] }[] = [
  {
    capabilities: [],
    calls: [
      { name: '_sysctl', x64: 156 },
      { name: 'add_key', x64: 248, arm64: 217 },
      { name: 'afs_syscall', x64: 183 },
      { name: 'create_module', x64: 174 },
      { name: 'get_kernel_syms', x64: 177 },
      { name: 'getpmsg', x64: 181 },
      { name: 'io_uring_enter', x64: 426, arm64: 426 },
      { name: 'io_uring_register', x64: 427, arm64: 427 },
      { name: 'io_uring_setup', x64: 425, arm64: 425 },
      { name: 'kexec_file_load', x64: 320, arm64: 294 },
      { name: 'kexec_load', x64: 246, arm64: 104 },
      { name: 'keyctl', x64: 250, arm64: 219 },
      { name: 'migrate_pages', x64: 256, arm64: 238 },
      { name: 'move_pages', x64: 279, arm64: 239 },
      { name: 'nfsservctl', x64: 180, arm64: 42 },
      { name: 'pivot_root', x64: 155, arm64: 41 },
      { name: 'putpmsg', x64: 182 },
      { name: 'query_module', x64: 178 },
      { name: 'request_key', x64: 249, arm64: 218 },
      { name: 'security', x64: 185 },
      { name: 'swapoff', x64: 168, arm64: 225 },
      { name: 'swapon', x64: 167, arm64: 224 },
      { name: 'sysfs', x64: 139 },
      { name: 'tuxcall', x64: 184 },
      { name: 'uselib', x64: 134 },
      { name: 'userfaultfd', x64: 323, arm64: 282 },
      { name: 'ustat', x64: 136 },
      { name: 'vserver', x64: 236 },
    ],
  },
  {
    capabilities: ['CAP_DAC_READ_SEARCH'],
    calls: [{ name: 'open_by_handle_at', x64: 304, arm64: 265 }],
  },
  {
    capabilities: ['CAP_SYS_ADMIN'],
    calls: [
      { name: 'fanotify_init', x64: 300, arm64: 262 },
      { name: 'fsconfig', x64: 431, arm64: 431 },
      { name: 'fsmount', x64: 432, arm64: 432 },
      { name: 'fsopen', x64: 430, arm64: 430 },
      { name: 'fspick', x64: 433, arm64: 433 },
      { name: 'lookup_dcookie', x64: 212, arm64: 18 },
      { name: 'lsm_get_self_attr', x64: 459, arm64: 459 },
      { name: 'lsm_list_modules', x64: 461, arm64: 461 },
      { name: 'lsm_set_self_attr', x64: 460, arm64: 460 },
      { name: 'mount', x64: 165, arm64: 40 },
      { name: 'mount_setattr', x64: 442, arm64: 442 },
      { name: 'move_mount', x64: 429, arm64: 429 },
      { name: 'open_tree', x64: 428, arm64: 428 },
      { name: 'quotactl', x64: 179, arm64: 60 },
      { name: 'quotactl_fd', x64: 443, arm64: 443 },
      { name: 'setdomainname', x64: 171, arm64: 162 },
      { name: 'sethostname', x64: 170, arm64: 161 },
      { name: 'setns', x64: 308, arm64: 268 },
      { name: 'umount2', x64: 166, arm64: 39 },
      { name: 'unshare', x64: 272, arm64: 97 },
    ],
  },
  {
    capabilities: ['CAP_SYS_ADMIN', 'CAP_BPF'],
    calls: [{ name: 'bpf', x64: 321, arm64: 280 }],
  },
  {
    capabilities: ['CAP_SYS_ADMIN', 'CAP_PERFMON'],
    calls: [{ name: 'perf_event_open', x64: 298, arm64: 241 }],
  },
  {
    capabilities: ['CAP_SYS_ADMIN', 'CAP_SYSLOG'],
    calls: [{ name: 'syslog', x64: 103, arm64: 116 }],
  },
  {
    capabilities: ['CAP_SYS_BOOT'],
    calls: [{ name: 'reboot', x64: 169, arm64: 142 }],
  },
  {
    capabilities: ['CAP_SYS_CHROOT'],
    calls: [{ name: 'chroot', x64: 161, arm64: 51 }],
  },
  {
    capabilities: ['CAP_SYS_MODULE'],
    calls: [
      { name: 'delete_module', x64: 176, arm64: 106 },
      { name: 'finit_module', x64: 313, arm64: 273 },
      { name: 'init_module', x64: 175, arm64: 105 },
    ],
  },
  {
    capabilities: ['CAP_SYS_NICE'],
    calls: [
      { name: 'get_mempolicy', x64: 239, arm64: 236 },
      { name: 'mbind', x64: 237, arm64: 235 },
      { name: 'set_mempolicy', x64: 238, arm64: 237 },
      { name: 'set_mempolicy_home_node', x64: 450, arm64: 450 },
    ],
  },
  {
    capabilities: ['CAP_SYS_PACCT'],
    calls: [{ name: 'acct', x64: 163, arm64: 89 }],
  },
  {
    capabilities: ['CAP_SYS_PTRACE'],
    calls: [
      { name: 'kcmp', x64: 312, arm64: 272 },
      { name: 'pidfd_getfd', x64: 438, arm64: 438 },
      { name: 'process_madvise', x64: 440, arm64: 440 },
      { name: 'process_vm_readv', x64: 310, arm64: 270 },
      { name: 'process_vm_writev', x64: 311, arm64: 271 },
      { name: 'ptrace', x64: 101, arm64: 117 },
    ],
  },
  {
    capabilities: ['CAP_SYS_RAWIO'],
    calls: [
      { name: 'ioperm', x64: 173 },
      { name: 'iopl', x64: 172 },
    ],
  },
  {
    capabilities: ['CAP_SYS_TIME'],
    calls: [
      { name: 'clock_settime', x64: 227, arm64: 112 },
      { name: 'settimeofday', x64: 164, arm64: 170 },
    ],
  },
  {
    capabilities: ['CAP_SYS_TTY_CONFIG'],
    calls: [{ name: 'vhangup', x64: 153, arm64: 58 }],
  },
];
