import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  fstatSync,
  linkSync,
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
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isErrno, MappedFile } from '../linux/index.ts';
import type { Change } from './conformance-steps.ts';

/** What a second layer does to a first one, and what must be seen above both. */
export interface Scenario {
  readonly below?: Change;
  readonly above: Change;
  readonly seen: Change;
}

export const trees: Readonly<Record<string, Scenario>> = {
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
  // A lower file has one name after it is copied up, where only what changed is kept: overlayfs.rst, "Non-standard behavior".
  'hardlink.to-lower-breaks-copy-up-documented': {
    below: (root) => {
      writeFileSync(join(root, 'first'), 'before');
      linkSync(join(root, 'first'), join(root, 'second'));
    },
    above: (root) => writeFileSync(join(root, 'first'), 'after!'),
    seen: (root) => {
      const [first, second] = ['first', 'second'].map((name) => ({
        text: readFileSync(join(root, name), 'utf8'),
        inode: statSync(join(root, name)).ino,
      }));
      assert.equal(first?.text, 'after!');
      assert.equal(second?.text, second?.inode === first?.inode ? 'after!' : 'before');
    },
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
  'inode.same-file-same-ino': {
    below: (root) => {
      mkdirSync(join(root, 'dir'));
      writeFileSync(join(root, 'dir', 'file'), 'content');
    },
    above: (root) => {
      const paths = [join(root, 'dir', 'file'), join(root, 'dir')];
      for (const path of paths) assert.equal(statSync(path).ino, openedInode(path));
      writeFileSync(join(root, 'dir', 'file'), 'other');
      for (const path of paths) assert.equal(statSync(path).ino, openedInode(path));
    },
    seen: (root) => {
      assert.equal(statSync(join(root, 'dir', 'file')).ino, openedInode(join(root, 'dir', 'file')));
      assert.notEqual(statSync(join(root, 'dir')).ino, statSync(join(root, 'dir', 'file')).ino);
    },
  },
  'mmap.shared-write-visible': {
    below: (root) => writeFileSync(join(root, 'file'), 'before and more'),
    above: (root) => {
      const file = openSync(join(root, 'file'), 'r+');
      const [writer, other] = [new MappedFile(file, 6), new MappedFile(file, 6)];
      closeSync(file);
      writer.write(Buffer.from('mapped'));
      assert.equal(other.read(6).toString(), 'mapped');
      assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'mapped and more');
      writeFileSync(join(root, 'file'), 'writes', { flag: 'r+' });
      assert.equal(other.read(6).toString(), 'writes');
      for (const mapped of [writer, other]) mapped[Symbol.dispose]();
    },
    seen: (root) => assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'writes and more'),
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

function openedInode(path: string): number {
  const file = openSync(path, 'r');
  try {
    return fstatSync(file).ino;
  } finally {
    closeSync(file);
  }
}

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
