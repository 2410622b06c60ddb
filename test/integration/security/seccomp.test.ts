import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { seccompProfile } from '../../../core/lifecycle/oci-spec/seccomp/profile.ts';
import { defaultCapabilities } from '../../../core/lifecycle/oci-spec/capabilities.ts';
import { EngineUnderTest } from '../../support/engine/engine.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';
import { entry } from '../../support/images/tar-builder.ts';

inNamespaces(import.meta.url, { cgroups: 'v1' });

/**
 * System calls with arguments that do no harm. Those that are denied are such that the kernel itself would answer something else than
 * "operation not permitted" to root without capabilities, but where that is marked.
 */
const probes: readonly { readonly call: string; readonly args: string; readonly kernelDenies?: true }[] = [
  { call: 'getpid', args: '0' },
  { call: 'read', args: '-1, 0, 0' },
  { call: 'openat2', args: '-1, 0, 0, 0' },
  { call: 'statx', args: '-1, 0, 0, 0, 0' },
  { call: 'fchmodat2', args: '-1, "", 0, 0' },
  { call: 'memfd_create', args: '0, 0' },
  { call: 'process_vm_readv', args: '0, 0, 0, 0, 0, 1' },
  { call: 'ptrace', args: '9999, 0, 0, 0' },
  { call: 'chroot', args: '0' },
  { call: 'mknodat', args: '-1, "", 0, 0' },
  { call: 'keyctl', args: '0, -99, 0' },
  { call: 'add_key', args: '0, 0, 0, 0, 0' },
  { call: 'request_key', args: '0, 0, 0, 0' },
  { call: 'io_uring_setup', args: '1, 0' },
  { call: 'io_uring_enter', args: '-1, 0, 0, 0, 0, 0' },
  { call: 'io_uring_register', args: '-1, 0, 0, 0' },
  { call: 'userfaultfd', args: '-1' },
  { call: 'unshare', args: '0x10000000' },
  { call: 'setns', args: '-1, 0' },
  { call: 'move_pages', args: '0, 0, 0, 0, 0, -1' },
  { call: 'kcmp', args: '1, 1, 99, 0, 0' },
  { call: 'pidfd_getfd', args: '-1, 0, 0' },
  { call: 'open_by_handle_at', args: '-1, 0, 0', kernelDenies: true },
  { call: 'fsopen', args: '0, 0', kernelDenies: true },
  { call: 'open_tree', args: '-1, "", 0' },
  { call: 'mount', args: '0, 0, 0, 0, 0', kernelDenies: true },
  { call: 'pivot_root', args: '0, 0', kernelDenies: true },
  { call: 'bpf', args: '99, 0, 0', kernelDenies: true },
  { call: 'perf_event_open', args: '0, 0, 0, 0, 0' },
  { call: 'init_module', args: '0, 0, 0', kernelDenies: true },
  { call: 'kexec_load', args: '0, 0, 0, 0', kernelDenies: true },
  { call: 'reboot', args: '0, 0, 0, 0', kernelDenies: true },
  { call: 'swapon', args: '0, 0', kernelDenies: true },
  { call: 'settimeofday', args: '0, 0', kernelDenies: true },
  { call: 'acct', args: '0', kernelDenies: true },
  { call: 'quotactl', args: '-1, 0, 0, 0' },
];

/** Rules that look at an argument: what the kernel is asked, and what the container sees. */
const argued: readonly { readonly call: string; readonly args: string; readonly seen: RegExp; readonly why: string }[] = [
  { call: 'socket', args: '1, 1, 0', seen: /^0$/, why: 'AF_UNIX' },
  { call: 'socket', args: '2, 1, 0', seen: /^0$/, why: 'AF_INET' },
  { call: 'socket', args: '38, 5, 0', seen: /^EPERM$/, why: 'AF_ALG (CVE-2026-31431)' },
  { call: 'socket', args: '40, 1, 0', seen: /^EPERM$/, why: 'AF_VSOCK' },
  { call: 'personality', args: '0', seen: /^0$/, why: 'PER_LINUX' },
  { call: 'personality', args: '0xffffffff', seen: /^0$/, why: 'a question' },
  { call: 'personality', args: '0x0040000', seen: /^EPERM$/, why: 'ADDR_NO_RANDOMIZE' },
  { call: 'personality', args: '0x400000', seen: /^EPERM$/, why: 'READ_IMPLIES_EXEC' },
  { call: 'clone', args: '0x10000000, 0, 0, 0, 0', seen: /^EPERM$/, why: 'CLONE_NEWUSER' },
  { call: 'clone', args: '0x20000000, 0, 0, 0, 0', seen: /^EPERM$/, why: 'CLONE_NEWPID' },
  { call: 'clone3', args: '0, 0', seen: /^ENOSYS$/, why: 'its flags cannot be looked at' },
];

const source = `
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void probe(int index, long number, long a, long b, long c, long d, long e, long f) {
  /* In a child: a call that goes through may not change the others. */
  fflush(stdout);
  pid_t child = fork();
  if (child != 0) { waitpid(child, 0, 0); return; }
  pid_t self = getpid();
  long result = syscall(number, a, b, c, d, e, f);
  if (getpid() != self || (number == SYS_clone && result == 0)) _exit(0);
  printf("%d %s\\n", index, result < 0 ? strerrorname_np(errno) : "0");
  fflush(stdout);
  _exit(0);
}
int main(void) {
${[...probes, ...argued].map(({ call, args }, index) => `#ifdef SYS_${call}\n  probe(${index}, SYS_${call}, ${sixArguments(args)});\n#endif`).join('\n')}
  return 0;
}
`;

function sixArguments(args: string): string {
  const given = args.split(', ').map((argument) => `(long)${argument}`);
  return [...given, ...Array<string>(6 - given.length).fill('0L')].join(', ');
}

/** A static program; undefined when this machine cannot make one. */
function compiled(): Buffer | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'probe-'));
  try {
    const program = join(folder, 'probe');
    const { status } = spawnSync('gcc', ['-static', '-O1', '-w', '-x', 'c', '-o', program, '-'], { input: source });
    return status === 0 ? readFileSync(program) : undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const program = compiled();
const skip = program === undefined && 'needs gcc and a static C library';
const runtimes = ['crun', 'runc'];
let subject: EngineUnderTest;
before(async () => {
  subject = await EngineUnderTest.open();
  if (program !== undefined) await subject.image('probe', [entry('probe', program, { mode: 0o755 })]);
  await subject.run('true');
});
after(() => subject[Symbol.asyncDispose]());
beforeEach(() => subject.warm());
leakGuard();

async function outcomes(hostConfig: object): Promise<ReadonlyMap<number, string>> {
  const { stdout } = await subject.run('/probe', { config: { Image: 'probe' }, hostConfig: { NetworkMode: 'none', ...hostConfig } });
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([index = '', outcome = '']) => [Number(index), outcome]),
  );
}

/** What the table lets through whatever the arguments. */
function isAllowed(call: string): boolean {
  return seccompProfile(defaultCapabilities).syscalls.some(
    ({ names, action, args }) => action === 'SCMP_ACT_ALLOW' && args === undefined && names.includes(call),
  );
}

for (const Runtime of runtimes) {
  test(`SEC-71 (${Runtime}) a container can make the system calls of the table and no others`, { skip }, async () => {
    const [confined, free] = [await outcomes({ Runtime }), await outcomes({ Runtime, SecurityOpt: ['seccomp=unconfined'] })];
    assert.ok(confined.size > 30, 'the probe ran to its end');
    for (const [index, { call, kernelDenies }] of probes.entries()) {
      const [seen, unfiltered] = [confined.get(index), free.get(index)];
      if (unfiltered === undefined) continue;
      if (isAllowed(call)) assert.equal(seen, unfiltered, `${call} is in the table`);
      else {
        assert.equal(seen, 'EPERM', `${call} is not in the table`);
        if (kernelDenies !== true) assert.notEqual(unfiltered, 'EPERM', `${call}: the kernel itself would deny it, so this proves nothing`);
      }
    }
  });

  test(`SEC-71 (${Runtime}) AF_ALG, AF_VSOCK, new namespaces and dangerous personalities are refused by their arguments`, {
    skip,
  }, async () => {
    const seen = await outcomes({ Runtime });
    for (const [at, { call, args, seen: expected, why }] of argued.entries()) {
      assert.match(seen.get(probes.length + at) ?? 'missing', expected, `${call}(${args}): ${why}`);
    }
  });

  test(`SEC-71 (${Runtime}) execs are filtered as the container is, whoever runs them`, { skip }, async () => {
    await using container = await subject.sleeping({ config: { Image: 'probe' }, hostConfig: { NetworkMode: 'none', Runtime } });
    const alg = probes.length + argued.findIndex(({ args }) => args.startsWith('38'));
    for (const config of [{}, { user: 'guest' }]) {
      const { stdout } = await subject.exec(container.id, ['/probe'], config);
      assert.match(stdout, new RegExp(`^${alg} EPERM$`, 'm'), JSON.stringify(config));
    }
  });
}
