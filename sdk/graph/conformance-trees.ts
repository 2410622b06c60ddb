import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { getXattr, isErrno, mknod, setTimes, setXattr } from '../linux/index.ts';

/** Changes a tree; the path ends without a slash. */
export type Change = (root: string) => void;

/** What a second layer does to a first one, and what must be seen above both. */
export interface Scenario {
  readonly below?: Change;
  readonly above: Change;
  readonly seen: Change;
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  'file.create-modify-append-truncate': {
    below: (root) => {
      for (const name of ['modified', 'appended', 'truncated', 'untouched']) writeFileSync(join(root, name), '12345');
    },
    above: (root) => {
      writeFileSync(join(root, 'created'), 'new');
      writeFileSync(join(root, 'modified'), 'other');
      appendFileSync(join(root, 'appended'), '678');
      truncateSync(join(root, 'truncated'), 2);
    },
    seen: (root) => {
      const expected = { created: 'new', modified: 'other', appended: '12345678', truncated: '12', untouched: '12345' };
      for (const [name, text] of Object.entries(expected)) assert.equal(readFileSync(join(root, name), 'utf8'), text);
    },
  },
  'file.delete-whiteout': {
    below: (root) => writeFileSync(join(root, 'gone'), 'x'),
    above: (root) => unlinkSync(join(root, 'gone')),
    seen: (root) => assert.deepEqual(readdirSync(root), []),
  },
  'dir.delete-opaque': {
    below: (root) => {
      mkdirSync(join(root, 'dir'));
      writeFileSync(join(root, 'dir', 'old'), 'x');
    },
    above: (root) => {
      rmSync(join(root, 'dir'), { recursive: true });
      mkdirSync(join(root, 'dir'));
      writeFileSync(join(root, 'dir', 'new'), 'x');
    },
    seen: (root) => assert.deepEqual(readdirSync(join(root, 'dir')), ['new']),
  },
  'dir.replace-by-file-and-back': {
    below: (root) => {
      mkdirSync(join(root, 'dir'));
      writeFileSync(join(root, 'dir', 'inside'), 'x');
      writeFileSync(join(root, 'file'), 'x');
    },
    above: (root) => {
      rmSync(join(root, 'dir'), { recursive: true });
      writeFileSync(join(root, 'dir'), 'now a file');
      unlinkSync(join(root, 'file'));
      mkdirSync(join(root, 'file'));
    },
    seen: (root) => {
      assert.equal(readFileSync(join(root, 'dir'), 'utf8'), 'now a file');
      assert.deepEqual(readdirSync(join(root, 'file')), []);
    },
  },
  'rename.file-across-layers': {
    below: (root) => writeFileSync(join(root, 'before'), 'content'),
    above: (root) => renameSync(join(root, 'before'), join(root, 'after')),
    seen: (root) => {
      assert.deepEqual(readdirSync(root), ['after']);
      assert.equal(readFileSync(join(root, 'after'), 'utf8'), 'content');
    },
  },
  'rename.dir': {
    below: (root) => {
      mkdirSync(join(root, 'before'));
      writeFileSync(join(root, 'before', 'file'), 'content');
    },
    above: (root) => renameOrCopy(root),
    seen: (root) => {
      assert.deepEqual(readdirSync(root), ['after']);
      assert.equal(readFileSync(join(root, 'after', 'file'), 'utf8'), 'content');
    },
  },
  'hardlink.within-layer': {
    above: (root) => {
      writeFileSync(join(root, 'first'), 'same');
      linkSync(join(root, 'first'), join(root, 'second'));
    },
    seen: (root) => assert.equal(statSync(join(root, 'first')).ino, statSync(join(root, 'second')).ino),
  },
  'symlink.absolute-and-dangling': {
    below: (root) => {
      symlinkSync('/etc/passwd', join(root, 'absolute'));
      symlinkSync('nowhere', join(root, 'dangling'));
    },
    above: () => undefined,
    seen: (root) => {
      assert.equal(readlinkSync(join(root, 'absolute')), '/etc/passwd');
      assert.equal(readlinkSync(join(root, 'dangling')), 'nowhere');
    },
  },
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
    above: (root) => mknod(join(root, 'fifo'), 0o010644),
    seen: (root) => {
      assert.equal(lstatSync(join(root, 'null')).rdev, 0x103);
      assert.ok(lstatSync(join(root, 'fifo')).isFIFO());
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
  'open-before-copy-up': {
    below: (root) => writeFileSync(join(root, 'file'), 'before'),
    above: (root) => {
      const reader = openSync(join(root, 'file'), 'r');
      writeFileSync(join(root, 'file'), 'after!');
      closeSync(reader);
    },
    seen: (root) => assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'after!'),
  },
};

/** cap_net_raw=ep, revision 2: see capabilities(7). */
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const oddNames = [Buffer.from('ünï¢ødé'), Buffer.from('n'.repeat(255)), Buffer.from('caf\xe9', 'latin1'), Buffer.from('new\nline')];

/** overlayfs without redirects says EXDEV for a folder of a lower layer, and rename(1) copies then. */
function renameOrCopy(root: string): void {
  try {
    renameSync(join(root, 'before'), join(root, 'after'));
  } catch (error) {
    if (!isErrno(error, 'EXDEV')) throw error;
    mkdirSync(join(root, 'after'));
    renameSync(join(root, 'before', 'file'), join(root, 'after', 'file'));
    rmdirSync(join(root, 'before'));
  }
}
