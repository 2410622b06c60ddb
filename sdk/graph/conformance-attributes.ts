import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { deviceNumbers, getXattr, mknod, setTimes, setXattr } from '../linux/index.ts';
import type { Scenario } from './conformance-trees.ts';

/** What hangs on a file besides its content, through two layers. */
export const attributes: Readonly<Record<string, Scenario>> = {
  'perm.suid-sgid-sticky': {
    below: (root) => {
      writeFileSync(join(root, 'suid'), 'x');
      chmodSync(join(root, 'suid'), 0o4755);
      mkdirSync(join(root, 'sticky'));
      chmodSync(join(root, 'sticky'), 0o3777);
    },
    above: (root) => chmodSync(join(root, 'suid'), 0o6755),
    seen: (root) => {
      assert.equal(statSync(join(root, 'suid')).mode & 0o7777, 0o6755);
      assert.equal(statSync(join(root, 'sticky')).mode & 0o7777, 0o3777);
    },
  },
  'chown.metadata-only-copy-up': {
    below: (root) => writeFileSync(join(root, 'file'), 'content'),
    above: (root) => chownSync(join(root, 'file'), 1234, 4321),
    seen: (root) => {
      const { uid, gid } = statSync(join(root, 'file'));
      assert.deepEqual({ uid, gid, text: readFileSync(join(root, 'file'), 'utf8') }, { uid: 1234, gid: 4321, text: 'content' });
    },
  },
  'xattr.security-capability-kept': {
    below: (root) => {
      writeFileSync(join(root, 'ping'), 'x');
      setXattr(join(root, 'ping'), 'security.capability', capability);
    },
    above: (root) => utimesSync(join(root, 'ping'), 1, 1),
    seen: (root) => assert.deepEqual(getXattr(join(root, 'ping'), 'security.capability'), capability),
  },
  'xattr.folders-and-many': {
    below: (root) => {
      mkdirSync(join(root, 'dir'));
      for (let at = 0; at < 20; at++) setXattr(join(root, 'dir'), `user.name${at}`, Buffer.from(`value ${at}`));
    },
    above: (root) => chmodSync(join(root, 'dir'), 0o700),
    seen: (root) => {
      for (let at = 0; at < 20; at++) assert.equal(getXattr(join(root, 'dir'), `user.name${at}`)?.toString(), `value ${at}`);
    },
  },
  'xattr.user': {
    below: (root) => {
      writeFileSync(join(root, 'file'), 'x');
      setXattr(join(root, 'file'), 'user.colour', Buffer.from('red\0blue'));
    },
    above: (root) => appendFileSync(join(root, 'file'), 'y'),
    seen: (root) => assert.equal(getXattr(join(root, 'file'), 'user.colour')?.toString(), 'red\0blue'),
  },
  'device-nodes': {
    below: (root) => mknod(join(root, 'null'), 0o020666, { major: 1, minor: 3 }),
    above: (root) => mknod(join(root, 'disk'), 0o060640, { major: 259, minor: 70_000 }),
    seen: (root) => {
      assert.equal(lstatSync(join(root, 'null')).rdev, 0x103);
      assert.ok(lstatSync(join(root, 'disk')).isBlockDevice());
      assert.deepEqual(deviceNumbers(lstatSync(join(root, 'disk')).rdev), { major: 259, minor: 70_000 });
    },
  },
  'fifo-socket': {
    below: (root) => {
      mknod(join(root, 'fifo'), 0o010644);
      mknod(join(root, 'socket'), 0o140755);
    },
    above: (root) => {
      for (const name of ['fifo', 'socket']) chmodSync(join(root, name), 0o600);
    },
    seen: (root) => {
      assert.ok(lstatSync(join(root, 'fifo')).isFIFO());
      assert.ok(lstatSync(join(root, 'socket')).isSocket());
      for (const name of ['fifo', 'socket']) assert.equal(lstatSync(join(root, name)).mode & 0o777, 0o600);
    },
  },
  'sparse-file-stays-sparse': {
    below: (root) => {
      const file = openSync(join(root, 'sparse'), 'w');
      ftruncateSync(file, 64 * 1024 * 1024);
      closeSync(file);
    },
    above: () => undefined,
    seen: (root) => assert.ok(statSync(join(root, 'sparse')).blocks < 2048),
  },
  'big-file.4GiB': {
    below: (root) => {
      const file = openSync(join(root, 'big'), 'w');
      writeSync(file, 'end', 4 * gibibyte);
      closeSync(file);
    },
    above: (root) => {
      const file = openSync(join(root, 'big'), 'r+');
      writeSync(file, 'middle', 2 * gibibyte);
      closeSync(file);
    },
    seen: (root) => {
      const file = openSync(join(root, 'big'), 'r');
      const { size, blocks } = fstatSync(file);
      const at = (offset: number, length: number) => {
        const bytes = Buffer.alloc(length);
        readSync(file, bytes, 0, length, offset);
        return bytes.toString();
      };
      const seen = [at(4 * gibibyte, 3), at(2 * gibibyte, 6), at(gibibyte, 1)];
      closeSync(file);
      assert.deepEqual(seen, ['end', 'middle', '\0']);
      assert.equal(size, 4 * gibibyte + 3);
      assert.ok(blocks < 8192, `its holes were filled: ${blocks} blocks`);
    },
  },
  'mtime.ns-kept': {
    below: (root) => {
      writeFileSync(join(root, 'file'), 'x');
      setTimes(join(root, 'file'), { mtimeNs: 1_234_567_890_123_456_789n });
    },
    above: (root) => chmodSync(join(root, 'file'), 0o600),
    seen: (root) => assert.equal(lstatSync(join(root, 'file'), { bigint: true }).mtimeNs, 1_234_567_890_123_456_789n),
  },
  'unicode-and-255-byte-names': {
    below: (root) => {
      for (const name of oddNames) writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), 'x');
    },
    above: () => undefined,
    seen: (root) => {
      const seen = readdirSync(root, { encoding: 'latin1' }).toSorted();
      assert.deepEqual(seen, oddNames.map((name) => name.toString('latin1')).toSorted());
    },
  },
  'root-dir.mode-and-owner': {
    below: (root) => {
      chmodSync(root, 0o711);
      chownSync(root, 5, 6);
    },
    above: (root) => writeFileSync(join(root, 'file'), 'x'),
    seen: (root) => {
      assert.ok([0o711, 0o755].includes(statSync(root).mode & 0o7777));
    },
  },
  'perm.dir-mode-on-commit': {
    below: (root) => {
      mkdirSync(join(root, 'dir'), { mode: 0o700 });
      chownSync(join(root, 'dir'), 7, 8);
      chmodSync(join(root, 'dir'), 0o2710);
      setTimes(join(root, 'dir'), { mtimeNs: 1_000_000_000_000_000_001n });
    },
    // A folder is copied up for what is made in it.
    above: (root) => writeFileSync(join(root, 'dir', 'file'), 'x'),
    seen: (root) => {
      const { mode, uid, gid } = statSync(join(root, 'dir'));
      assert.deepEqual({ mode: mode & 0o7777, uid, gid }, { mode: 0o2710, uid: 7, gid: 8 });
    },
  },
  'acl.posix': {
    below: (root) => {
      writeFileSync(join(root, 'file'), 'x', { mode: 0o640 });
      setXattr(join(root, 'file'), 'system.posix_acl_access', accessList(0o6));
      mkdirSync(join(root, 'dir'));
      setXattr(join(root, 'dir'), 'system.posix_acl_default', accessList(0o7));
    },
    above: (root) => {
      appendFileSync(join(root, 'file'), 'y');
      writeFileSync(join(root, 'dir', 'inherits'), 'x');
    },
    seen: (root) => {
      assert.deepEqual(getXattr(join(root, 'file'), 'system.posix_acl_access'), accessList(0o6));
      assert.deepEqual(getXattr(join(root, 'dir'), 'system.posix_acl_default'), accessList(0o7));
      assert.notEqual(getXattr(join(root, 'dir', 'inherits'), 'system.posix_acl_access'), undefined);
    },
  },
};

/** acl(5) as the kernel stores it (linux/posix_acl_xattr.h): version 2, then tag, permissions and id of each entry. */
function accessList(forUser1234: number): Buffer {
  const none = 0xffffffff;
  const entries = [
    [1, 0o6, none],
    [2, forUser1234, 1234],
    [4, 0o4, none],
    [0x10, 0o7, none],
    [0x20, 0, none],
  ] as const;
  const list = Buffer.alloc(4 + 8 * entries.length);
  list.writeUInt32LE(2);
  for (const [at, [tag, permissions, id]] of entries.entries()) {
    list.writeUInt16LE(tag, 4 + 8 * at);
    list.writeUInt16LE(permissions, 6 + 8 * at);
    list.writeUInt32LE(id, 8 + 8 * at);
  }
  return list;
}

const gibibyte = 2 ** 30;

/** cap_net_raw=ep, revision 2: see capabilities(7). */
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const oddNames = [Buffer.from('ünï¢ødé'), Buffer.from('n'.repeat(255)), Buffer.from('caf\xe9', 'latin1'), Buffer.from('new\nline')];
