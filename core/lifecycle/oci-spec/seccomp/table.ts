/**
 * The default seccomp table: which system calls a container may make, and on what condition. Everything else fails with EPERM.
 *
 * Facts: Docker's documented default profile, moby v28/v29: calls that change the host's clock, load modules, trace across containers,
 * make user namespaces, or reach kernel subsystems with a poor record (io_uring, AF_ALG, AF_VSOCK, keyrings, bpf) are left out
 * unless a capability that the container has anyway allows as much.
 */
export interface SeccompRule {
  /** System call names, separated by spaces. */
  readonly calls: string;
  /** Every one of these capabilities is needed; without it the rule is left out. */
  readonly withCapability?: string;
  readonly withoutCapability?: string;
  /** Node's and Go's words: amd64, arm64, s390x… any one of them. */
  readonly architectures?: readonly string[];
  readonly notArchitectures?: readonly string[];
  /** Kernel release, e.g. 4.8. */
  readonly minKernel?: string;
  /** One condition on an argument. `masked`: argument & value equals `valueTwo`. */
  readonly argument?: {
    readonly index: number;
    readonly op: 'less' | 'equal' | 'greater' | 'masked';
    readonly value: number;
    readonly valueTwo?: number;
  };
  /** Fail with this errno instead of allowing. */
  readonly errno?: number;
}

const always = [
  '_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime',
  'clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close',
  'close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait',
  'epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64',
  'fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr',
  'flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex',
  'futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents',
  'getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp',
  'getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname',
  'getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch',
  'io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill',
  'landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount',
  'listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create',
  'memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open',
  'mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync',
  'munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe',
  'pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease',
  'pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg',
  'recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall riscv_hwprobe rmdir',
  'rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64',
  'rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam',
  'sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam',
  'sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg',
  'sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups',
  'setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32',
  'setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd',
  'signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync',
  'sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64',
  'timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill',
  'truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice',
  'wait4 waitid waitpid write writev',
].join(' ');

/** Flags of clone(2) that make namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = 0x7e020000;

export const seccompTable: readonly SeccompRule[] = [
  { calls: always },
  { calls: 'process_vm_readv process_vm_writev ptrace', minKernel: '4.8' },
  { calls: 'socket', argument: { index: 0, op: 'less', value: 38 } },
  { calls: 'socket', argument: { index: 0, op: 'equal', value: 39 } },
  { calls: 'socket', argument: { index: 0, op: 'greater', value: 40 } },
  { calls: 'personality', argument: { index: 0, op: 'equal', value: 0 } },
  { calls: 'personality', argument: { index: 0, op: 'equal', value: 8 } },
  { calls: 'personality', argument: { index: 0, op: 'equal', value: 0x20000 } },
  { calls: 'personality', argument: { index: 0, op: 'equal', value: 0x20008 } },
  { calls: 'personality', argument: { index: 0, op: 'equal', value: 0xffffffff } },
  { calls: 'swapcontext sync_file_range2', architectures: ['ppc64le'] },
  { calls: 'arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2', architectures: ['arm', 'arm64'] },
  { calls: 'arch_prctl', architectures: ['amd64', 'x32'] },
  { calls: 'modify_ldt', architectures: ['amd64', 'x32', 'x86'] },
  { calls: 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr', architectures: ['s390', 's390x'] },
  { calls: 'riscv_flush_icache', architectures: ['riscv64'] },
  { calls: 'open_by_handle_at', withCapability: 'CAP_DAC_READ_SEARCH' },
  {
    calls:
      'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare',
    withCapability: 'CAP_SYS_ADMIN',
  },
  {
    calls: 'clone',
    withoutCapability: 'CAP_SYS_ADMIN',
    notArchitectures: ['s390', 's390x'],
    argument: { index: 0, op: 'masked', value: namespaceFlags, valueTwo: 0 },
  },
  {
    calls: 'clone',
    withoutCapability: 'CAP_SYS_ADMIN',
    architectures: ['s390', 's390x'],
    argument: { index: 1, op: 'masked', value: namespaceFlags, valueTwo: 0 },
  },
  { calls: 'clone3', withoutCapability: 'CAP_SYS_ADMIN', errno: 38 },
  { calls: 'reboot', withCapability: 'CAP_SYS_BOOT' },
  { calls: 'chroot', withCapability: 'CAP_SYS_CHROOT' },
  { calls: 'delete_module finit_module init_module', withCapability: 'CAP_SYS_MODULE' },
  { calls: 'acct', withCapability: 'CAP_SYS_PACCT' },
  { calls: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace', withCapability: 'CAP_SYS_PTRACE' },
  { calls: 'ioperm iopl', withCapability: 'CAP_SYS_RAWIO' },
  { calls: 'clock_settime clock_settime64 settimeofday stime', withCapability: 'CAP_SYS_TIME' },
  { calls: 'vhangup', withCapability: 'CAP_SYS_TTY_CONFIG' },
  { calls: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node', withCapability: 'CAP_SYS_NICE' },
  { calls: 'syslog', withCapability: 'CAP_SYSLOG' },
  { calls: 'bpf', withCapability: 'CAP_BPF' },
  { calls: 'perf_event_open', withCapability: 'CAP_PERFMON' },
];

/** Per machine: the architectures whose calls its kernel takes. */
export const seccompArchitectures: Readonly<Record<string, readonly string[]>> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
  mips64: ['SCMP_ARCH_MIPS64', 'SCMP_ARCH_MIPS', 'SCMP_ARCH_MIPS64N32'],
  mips64n32: ['SCMP_ARCH_MIPS64N32', 'SCMP_ARCH_MIPS', 'SCMP_ARCH_MIPS64'],
  mips64le: ['SCMP_ARCH_MIPSEL64', 'SCMP_ARCH_MIPSEL', 'SCMP_ARCH_MIPSEL64N32'],
  mips64len32: ['SCMP_ARCH_MIPSEL64N32', 'SCMP_ARCH_MIPSEL', 'SCMP_ARCH_MIPSEL64'],
  s390x: ['SCMP_ARCH_S390X', 'SCMP_ARCH_S390'],
  riscv64: ['SCMP_ARCH_RISCV64'],
  loong64: ['SCMP_ARCH_LOONGARCH64'],
};
