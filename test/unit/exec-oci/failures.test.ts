import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFailure } from '../../../plugins/exec/oci/failures.ts';

const start = 'runc create failed: unable to start container process';
/** As runtimes of Debian say it. */
const reasons: readonly (readonly [message: string, reason: string | undefined])[] = [
  [`${start}: exec: "nope": executable file not found in $PATH`, 'COMMAND_NOT_FOUND'],
  [`${start}: exec: "/nope": stat /nope: no such file or directory`, 'COMMAND_NOT_FOUND'],
  [`${start}: exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory`, 'COMMAND_NOT_FOUND'],
  ['executable file `nope` not found in $PATH: No such file or directory', 'COMMAND_NOT_FOUND'],
  ['open executable: No such file or directory', 'COMMAND_NOT_FOUND'],
  [`${start}: exec: "/etc/passwd": permission denied`, 'COMMAND_NOT_EXECUTABLE'],
  [`${start}: exec: "/etc": is a directory`, 'COMMAND_NOT_EXECUTABLE'],
  ['exec /foreign: exec format error', 'COMMAND_NOT_EXECUTABLE'],
  ['exec container process `/foreign`: Exec format error', 'COMMAND_NOT_EXECUTABLE'],
  ['standard_init_linux.go:228: exec user process caused: exec format error', 'COMMAND_NOT_EXECUTABLE'],
  ['open executable: Permission denied', 'COMMAND_NOT_EXECUTABLE'],
  ['open executable: Operation not permitted', 'COMMAND_NOT_EXECUTABLE'],
  ['the path `/etc` is not a regular file', 'COMMAND_NOT_EXECUTABLE'],
  [
    `${start}: error during container init: error mounting "/run/exec/staged/1" to rootfs at "/up": mount /proc/self/fd/9:/up: permission denied`,
    undefined,
  ],
  [`${start}: error mounting "/srv/exec: x/a" to rootfs at "/a": mount: not a file: no space left`, undefined],
  ['mount `/run/exec/bundles/1` to `/x`: Permission denied', undefined],
  [`${start}: chdir to cwd ("/nope") set in config.json failed: no such file or directory`, undefined],
];

for (const [message, reason] of reasons) {
  test(`startFailure(): ${message.slice(0, 120)}`, () => {
    const failure = startFailure(message, { verb: 'create', program: 'sh' });
    assert.equal(failure.reason, reason);
    if (reason === undefined) assert.ok(failure.message.includes(message));
  });
}
