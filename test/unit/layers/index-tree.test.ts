import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { emptyFile, IndexTree } from '../../../core/layers/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'index-tree-'));
const fd = openSync(join(folder, 'contents'), 'w+');
after(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

const file = (size: number) => ({ ...emptyFile, size });
const directory = { ...emptyFile, type: '5' } as const;
const symlink = (linkName: string) => ({ ...emptyFile, type: '2', linkName }) as const;
const digestOf = (at: number): string => at.toString(16).padStart(64, '0');

/** Every path with what is there. */
function listed(tree: IndexTree, below = ''): readonly string[] {
  return tree.names(below).flatMap((name) => {
    const path = below === '' ? name : `${below}/${name}`;
    const node = tree.node(path);
    const said = `${path} ${node?.type} ${node?.size} ${node?.linkName}${tree.contentDigest(path)}`;
    return node?.type === '5' ? [said, ...listed(tree, path)] : [said];
  });
}

test('IndexTree keeps what is said of each thing, to the last bit', () => {
  const tree = new IndexTree(fd);
  const said = {
    ...emptyFile,
    mode: 0o6755,
    uid: 4_294_967_294,
    gid: 7,
    size: 2 ** 40 + 1,
    mtime: -5,
    offset: 2 ** 35 + 3,
    capability: 'AQAAAg==',
    inode: '1:a',
  };
  tree.add('a/ü\xff', said, digestOf(5));
  tree.add('dev', { ...emptyFile, type: '3', deviceMajor: 4095, deviceMinor: 1_048_575 });
  tree.add('link', symlink('a/"\n\xe9'));
  assert.deepEqual(tree.node('a/ü\xff'), said);
  assert.equal(tree.contentDigest('a/ü\xff'), digestOf(5));
  assert.deepEqual(tree.node('dev'), { ...emptyFile, type: '3', deviceMajor: 4095, deviceMinor: 1_048_575 });
  assert.deepEqual(tree.node('link'), symlink('a/"\n\xe9'));
  assert.deepEqual([tree.node('a')?.type, tree.node('')?.type, tree.node('b'), tree.node('a/b/c')], ['5', '5', undefined, undefined]);
});

test('IndexTree.add() lets what is in the place give way, with all that is below it', () => {
  const tree = new IndexTree(fd);
  for (const path of ['d/one', 'd/two/three', 'e']) tree.add(path, file(1), digestOf(1));
  tree.add('d', file(2), digestOf(2));
  assert.deepEqual(listed(tree), [`d 0 2 ${digestOf(2)}`, `e 0 1 ${digestOf(1)}`]);
  assert.equal(tree.node('d/one'), undefined);
  assert.throws(() => tree.add('e/in', file(3)), /"e" is no folder, and something lies in it/);
  tree.add('d', directory);
  assert.deepEqual(tree.names('d'), []);
  tree.add('d/two', file(4), digestOf(4));
  tree.add('d', { ...directory, mode: 0o700 });
  assert.deepEqual([tree.names('d'), tree.node('d')?.mode], [['two'], 0o700]);
});

test('IndexTree.addLink() makes another name of one file, also through links to folders', () => {
  const tree = new IndexTree(fd);
  tree.add('d/a', file(3), digestOf(7));
  tree.add('to', symlink('d'));
  tree.addLink('to/b', 'to/a');
  assert.deepEqual(tree.names('d'), ['a', 'b']);
  assert.equal(tree.contentDigest('d/b'), digestOf(7));
  assert.notEqual(tree.node('d/a')?.inode, '');
  assert.equal(tree.node('d/a')?.inode, tree.node('d/b')?.inode);
  assert.throws(() => tree.addLink('x', 'nothing'), /"x": hardlink target "nothing" not found/);
});

test('IndexTree refuses names that no file system takes, also those that a link leads to', () => {
  const tree = new IndexTree(fd);
  const long = 'x'.repeat(256);
  assert.throws(() => tree.add(`a/${long}`, file(0)), /a name of 256 bytes, at most 255/);
  tree.add('to', symlink(`/${long}`));
  assert.throws(() => tree.add('to/in', file(0)), /a name of 256 bytes, at most 255/);
  assert.throws(() => tree.add('big', { ...emptyFile, capability: 'A'.repeat(70_000) }), /bytes are said of a file, at most/);
  tree.add('y'.repeat(255), file(1));
  assert.equal(tree.node('y'.repeat(255))?.size, 1);
});

test('IndexTree has every one of many names, in folders large and small, and another thread has them without a copy', async () => {
  const tree = new IndexTree(fd);
  const paths = Array.from(
    { length: 30_000 },
    (_, at) => `${at % 3 === 0 ? 'all' : `d${at % 700}`}/${at % 2 === 0 ? `n${at}` : `${'w'.repeat(at % 200)}${at}`}`,
  );
  for (const [at, path] of paths.entries()) tree.add(path, file(at), digestOf(at));
  for (const [at, path] of paths.entries()) assert.equal(tree.node(path)?.size, at);
  const wanted = paths.filter((path) => path.startsWith('all/')).map((path) => path.slice(4));
  assert.deepEqual(tree.names('all'), wanted.toSorted());
  const copy = new IndexTree(fd, tree.shared);
  assert.deepEqual(listed(copy), listed(tree));
  const source =
    'const { parentPort, workerData } = require("node:worker_threads"); new Uint8Array(workerData.records[0])[48] = 0xab; parentPort.postMessage(1)';
  const thread = new Worker(source, { eval: true, workerData: tree.shared });
  await new Promise((resolve) => thread.once('message', resolve));
  await thread.terminate();
  assert.equal(new Uint8Array(copy.shared.records[0] ?? new SharedArrayBuffer(64))[48], 0xab);
});
