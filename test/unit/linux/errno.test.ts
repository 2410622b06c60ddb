import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fromErrno } from '@gantry/sdk';
import { errnoError, isErrno, isMountPoint, umount2 } from '@gantry/sdk/linux';

test('errnoError() makes what Node would throw', () => {
  const error = errnoError('mount', { path: '/a', dest: '/b', errno: 2, detail: 'overlay: no' });
  assert.deepEqual(
    { ...error, message: error.message },
    {
      message: "ENOENT: no such file or directory, mount '/a' -> '/b' (overlay: no)",
      errno: -2,
      code: 'ENOENT',
      syscall: 'mount',
      path: '/a',
      dest: '/b',
    },
  );
});

test('errnoError() names errors that Node has no words for', () => {
  assert.match(errnoError('read', { errno: 117 }).message, /^EUCLEAN: structure needs cleaning, read$/);
});

test('a failed call carries the kernel’s errno and its path', () => {
  assert.throws(() => isMountPoint('/nowhere/at/all'), { code: 'ENOENT', syscall: 'statx', path: '/nowhere/at/all' });
});

test('a path with a NUL inside is refused, never cut short', () => {
  assert.throws(() => umount2('/proc\0/x'), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => umount2(Buffer.from('/proc\0/x')), { code: 'ERR_INVALID_ARG_VALUE' });
});

test('importing the room loads no FFI, the first call does', () => {
  const script = `import { readFileSync } from 'node:fs';
    const isLoaded = () => readFileSync('/proc/self/maps', 'utf8').includes('koffi.node');
    const { threadId } = await import('@gantry/sdk/linux');
    const before = isLoaded();
    threadId();
    console.log(before, isLoaded());`;
  const output = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script]);
  assert.equal(output.toString(), 'false true\n');
});

test('fromErrno() and isErrno() know errnos that Node has no name for', () => {
  // As Node 24 throws them, beyond a quota.
  const thrown = [
    { code: 'UNKNOWN', message: 'UNKNOWN: unknown error, write' },
    { code: 'Unknown system error -122', message: 'Unknown system error -122: Unknown system error -122, write' },
  ].map(({ code, message }) => Object.assign(new Error(message), { errno: -122, code, syscall: 'write' }));
  for (const error of thrown) {
    assert.ok(isErrno(error, 'EDQUOT'));
    const { code, message, facts } = fromErrno(error, 'fill');
    assert.deepEqual(
      { code, message, facts },
      { code: 'exhausted', message: 'fill: EDQUOT: disk quota exceeded, write', facts: { errno: 'EDQUOT' } },
    );
  }
  assert.equal(
    fromErrno(Object.assign(new Error('UNKNOWN: unknown error, read'), { errno: -9999, code: 'UNKNOWN' }), 'read').code,
    'internal',
  );
});
