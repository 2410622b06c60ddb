import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultCapabilities, effectiveCapabilities } from '../../../core/lifecycle/oci-spec/capabilities.ts';
import { resolveSeccomp } from '../../../core/lifecycle/oci-spec/seccomp/profile.ts';

const amd64 = { architecture: 'amd64', kernel: '6.1.0' };

/** What the profile answers for a call whatever its arguments: allowed, an errno, only on some condition, or refused. */
function verdict(capabilities: readonly string[], call: string, machine = amd64): string {
  const rules = resolveSeccomp(capabilities, machine).syscalls.filter(({ names }) => names.includes(call));
  if (rules.some(({ action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined)) return 'allowed';
  if (rules.some(({ args }) => args !== undefined)) return 'conditional';
  const errno = rules[0]?.errnoRet;
  return errno === undefined ? 'refused' : `errno ${errno}`;
}

const rows: readonly (readonly [string, string, string])[] = [
  ['read', 'allowed', 'allowed'],
  ['openat2', 'allowed', 'allowed'],
  ['ptrace', 'allowed', 'allowed'],
  ['chroot', 'allowed', 'allowed'],
  ['socket', 'conditional', 'conditional'],
  ['personality', 'conditional', 'conditional'],
  ['clone', 'conditional', 'allowed'],
  ['clone3', 'errno 38', 'allowed'],
  ['mount', 'refused', 'allowed'],
  ['unshare', 'refused', 'allowed'],
  ['setns', 'refused', 'allowed'],
  ['bpf', 'refused', 'allowed'],
  ['io_uring_setup', 'refused', 'refused'],
  ['keyctl', 'refused', 'refused'],
  ['add_key', 'refused', 'refused'],
  ['userfaultfd', 'refused', 'refused'],
  ['kexec_load', 'refused', 'refused'],
  ['init_module', 'refused', 'refused'],
  ['settimeofday', 'refused', 'refused'],
  ['open_by_handle_at', 'refused', 'refused'],
  ['s390_pci_mmio_read', 'refused', 'refused'],
];
for (const [call, byDefault, withSysAdmin] of rows) {
  test(`resolveSeccomp(): ${call} is ${byDefault} by default, ${withSysAdmin} with CAP_SYS_ADMIN`, () => {
    assert.deepEqual(
      [verdict(defaultCapabilities, call), verdict([...defaultCapabilities, 'CAP_SYS_ADMIN'], call)],
      [byDefault, withSysAdmin],
    );
  });
}

test('resolveSeccomp() lets no container open AF_ALG (38) or AF_VSOCK (40)', () => {
  const conditions = resolveSeccomp(defaultCapabilities, amd64)
    .syscalls.filter(({ names }) => names.includes('socket'))
    .flatMap(({ args = [] }) => args.map(({ op, value }) => `${op} ${value}`));
  assert.deepEqual(conditions, ['SCMP_CMP_LT 38', 'SCMP_CMP_EQ 39', 'SCMP_CMP_GT 40']);
});

test('resolveSeccomp() withholds ptrace from kernels older than 4.8, and knows other machines', () => {
  assert.equal(verdict(defaultCapabilities, 'ptrace', { architecture: 'amd64', kernel: '4.4.0-generic' }), 'refused');
  assert.equal(verdict(defaultCapabilities, 's390_pci_mmio_read', { architecture: 's390x', kernel: '6.1.0' }), 'allowed');
  assert.deepEqual(resolveSeccomp([], { architecture: 'arm64', kernel: '6.1' }).architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
});

test('effectiveCapabilities() follows Docker: ALL, names with and without CAP_, drops before adds', () => {
  assert.equal(effectiveCapabilities({}).length, 14);
  assert.deepEqual(effectiveCapabilities({ drop: ['ALL'], add: ['net_admin'] }), ['CAP_NET_ADMIN']);
  assert.ok(!effectiveCapabilities({ drop: ['CAP_MKNOD'] }).includes('CAP_MKNOD'));
  assert.ok(!effectiveCapabilities({ add: ['ALL'], drop: ['sys_admin'] }).includes('CAP_SYS_ADMIN'));
  assert.throws(() => effectiveCapabilities({ add: ['NOPE'] }), /^GantryError: invalid CapAdd: unknown capability: "CAP_NOPE"$/);
});
