import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { resolveUser } from '../../../core/lifecycle/oci-spec/index.ts';

function root(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-user-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'etc'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'etc', name), text);
  return folder;
}
const tables = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n4294967296:x:0:0::/:/bin/sh\nbad:x:0x0:0::/:/bin/sh\n',
  group: 'root:x:0:\nwww:x:34:\nlogs:x:4:web,root\nadm:x:5:web\n',
};

const rows: readonly (readonly [string, readonly string[], object])[] = [
  ['', [], { uid: 0, gid: 0, additionalGids: [0, 4], home: '/root' }],
  ['web', [], { uid: 33, gid: 34, additionalGids: [34, 4, 5], home: '/var/www' }],
  ['33', ['logs', '99'], { uid: 33, gid: 34, additionalGids: [34, 4, 5, 99], home: '/var/www' }],
  ['web:root', [], { uid: 33, gid: 0, additionalGids: [0], home: '/var/www' }],
  ['1000', [], { uid: 1000, gid: 0, additionalGids: [0], home: '/' }],
  ['1000:1001', [], { uid: 1000, gid: 1001, additionalGids: [1001], home: '/' }],
];
for (const [user, groupAdd, expected] of rows) {
  test(`resolveUser() finds ${JSON.stringify(user)} with ${groupAdd.length} added groups`, (t) => {
    assert.deepEqual(resolveUser(root(t, tables), user, groupAdd), expected);
  });
}

for (const [user, message] of [
  ['nobody', /unable to find user nobody: no matching entries in passwd file/],
  ['web:nogroup', /unable to find group nogroup: no matching entries in group file/],
  ['bad', /user or group bad has no valid id: "0x0"/],
] as const) {
  test(`resolveUser() refuses ${user}`, (t) => {
    assert.throws(() => resolveUser(root(t, tables), user), message);
  });
}

test('resolveUser() takes numbers without any passwd file', (t) => {
  assert.deepEqual(resolveUser(root(t, {}), '7'), { uid: 7, gid: 0, additionalGids: [0], home: '/' });
});

test('resolveUser() follows links only inside the root', (t) => {
  const folder = root(t, {});
  symlinkSync('/etc/hostname-of-the-host', join(folder, 'etc/passwd'));
  assert.throws(() => resolveUser(folder, 'root'), /unable to find user root/);
});

test('resolveUser() does not wait for a FIFO, read a folder or a huge file', (t) => {
  const fifo = root(t, {});
  execFileSync('mkfifo', [join(fifo, 'etc/passwd')]);
  assert.throws(() => resolveUser(fifo, 'root'), /passwd in the image is not a regular file/);
  const huge = root(t, tables);
  truncateSync(join(huge, 'etc/passwd'), 10 * 2 ** 30);
  assert.throws(() => resolveUser(huge, 'root'), /has 10737418240 bytes; at most 1048576 are read/);
});
