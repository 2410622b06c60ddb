import assert from 'node:assert/strict';
import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { undeclaredCalls } from '../../../sdk/conformance/traced-calls.ts';

const trace = [
  '71 socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3',
  '71 socket(AF_ALG, SOCK_SEQPACKET, 0) = 4',
  '71 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 72',
  '72 clone3({flags=CLONE_VM|CLONE_NEWNET, exit_signal=SIGCHLD}, 88) = -1 EPERM (Operation not permitted)',
  '71 mount("a", "/b", NULL, MS_BIND, NULL) = 0',
  '71 mount("b", "/c", NULL, MS_BIND, NULL <unfinished ...>',
  '71 <... mount resumed>) = 0',
  '71 keyctl(KEYCTL_GET_KEYRING_ID) = -1 EPERM (Operation not permitted)',
  // A runtime's own doing, which comes to nothing.
  '71 io_uring_setup(8, 0x7f) = 5',
];

for (const [capabilities, found] of [
  [[], ['clone3(CLONE_NEWNET) (CAP_SYS_ADMIN)', 'keyctl', 'mount (CAP_SYS_ADMIN)', 'socket(AF_ALG)']],
  [['CAP_SYS_ADMIN'], ['keyctl', 'socket(AF_ALG)']],
  [['ALL'], ['keyctl', 'socket(AF_ALG)']],
] as const) {
  test(`undeclaredCalls() names what a plugin with [${capabilities.join()}] may not call, once, and what would allow it`, () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), 'trace-'));
    writeFileSync(join(folder.path, 'calls'), trace.join('\n'));
    assert.deepEqual(undeclaredCalls(join(folder.path, 'calls'), capabilities), found);
  });
}
