import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { errnoError, isMountPoint, umount2 } from '@gantry/sdk/linux';

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
