import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mknod, setTimes, setXattr } from '../linux/index.ts';
import { change, type Change, layer, list, prepare, refuses, show } from './conformance-steps.ts';
import { cannotMount, cases, type GraphCase, type GraphUnderTest, type LayerWork } from './conformance-subject.ts';
import { treeText } from './conformance-tree-text.ts';

/** Layer tars, made of what a driver shows and unpacked into it, by the engine. */
export const layerCases: readonly GraphCase[] = cases(
  {
    'diff.added-changed-deleted': async (subject) => {
      await layer(subject, 'one', [], base);
      await prepare(subject, 'two', ['one']);
      await change(subject, { key: 'two', chain: ['one'] }, changes);
      assert.deepEqual(await work(subject).changes({ key: 'two', chain: ['one'] }), [
        { path: '/added', kind: 'added' },
        { path: '/deleted', kind: 'deleted' },
        { path: '/dir', kind: 'modified' },
        { path: '/dir/file', kind: 'modified' },
        { path: '/dir/hard', kind: 'added' },
        { path: '/emptied', kind: 'modified' },
        { path: '/emptied/new', kind: 'added' },
        { path: '/emptied/old', kind: 'deleted' },
        { path: '/owned', kind: 'modified' },
        { path: '/was-dir', kind: 'modified' },
        { path: '/was-file', kind: 'modified' },
        { path: '/was-file/inside', kind: 'added' },
      ]);
    },
    'diff.apply-roundtrip-equal-tree': async (subject) => {
      await layer(subject, 'one', [], base);
      await layer(subject, 'two', ['one'], changes);
      await roundtrip(subject, { key: 'two', chain: ['one'] });
    },
    'diff.to-base-is-full': async (subject) => {
      await layer(subject, 'one', [], (root) => {
        base(root);
        changes(root);
      });
      await roundtrip(subject, { key: 'one', chain: [] });
    },
    'diff.empty': async (subject) => {
      await layer(subject, 'one', [], base);
      await layer(subject, 'two', ['one']);
      assert.deepEqual(await work(subject).changes({ key: 'two', chain: ['one'] }), []);
      const tar = await work(subject).diff({ key: 'two', chain: ['one'] });
      assert.deepEqual(tar, Buffer.alloc(1024));
    },
    'diff.same-bytes-again': async (subject) => {
      await layer(subject, 'one', [], base);
      // The time of a deletion is in no tree; everything else is.
      await layer(subject, 'two', ['one'], (root) => writeFileSync(join(root, 'dir', 'file'), 'other'));
      const again = () => work(subject).diff({ key: 'two', chain: ['one'] });
      assert.deepEqual(await again(), await again());
    },
    'apply.sha-mismatch-aborts-clean': async (subject) => {
      const tar = tarOf('file', Buffer.from('content'));
      await prepare(subject, 'one', []);
      await refuses('invalid_argument', work(subject).apply({ key: 'one', chain: [] }, tar, { diffId: `sha256:${'0'.repeat(64)}` }));
      await subject.driver.remove({ key: 'one' }, subject.ctx);
      assert.deepEqual(await list(subject.driver, subject.ctx), []);
      await applied(subject, 'two', tar);
    },
    'apply.path-traversal-refused': async (subject) => {
      const names = ['../../escaped', 'dir/../../escaped', '/../escaped'];
      for (const [at, name] of names.entries()) {
        await prepare(subject, `bad${at}`, []);
        await refuses('invalid_argument', work(subject).apply({ key: `bad${at}`, chain: [] }, tarOf(name, Buffer.from('x'))));
      }
      for (const place of ['.', '..', 'bad0', 'bad1', 'bad2']) assert.equal(existsSync(join(subject.dataDir, place, 'escaped')), false);
    },
    'apply.killed-half-way-then-retry': async (subject) => {
      const tar = tarOf('file', Buffer.alloc(32 << 20, 7));
      const stop = new AbortController();
      await prepare(subject, 'one', []);
      const applying = work(subject).apply({ key: 'one', chain: [] }, tar, { signal: stop.signal });
      const ended = assert.rejects(applying);
      await sleep(5);
      stop.abort(new Error('killed'));
      await ended;
      await subject.driver.remove({ key: 'one' }, subject.ctx);
      await applied(subject, 'two', tar);
    },
  },
  (subject) => cannotMount(subject) ?? (subject.layers === undefined ? 'no engine is here that makes and unpacks tars' : undefined),
);

function work({ layers }: GraphUnderTest): LayerWork {
  return layers ?? assert.fail();
}

function base(root: string): void {
  for (const folder of ['dir', 'emptied', 'was-dir']) mkdirSync(join(root, folder));
  for (const file of ['dir/file', 'deleted', 'emptied/old', 'was-dir/inside', 'was-file', 'owned'])
    writeFileSync(join(root, file), 'before');
  symlinkSync('dir/file', join(root, 'link'));
  settle(root, ['dir/file', 'deleted', 'emptied/old', 'was-dir/inside', 'was-file', 'owned', 'link', 'dir', 'emptied', 'was-dir']);
}

const changes: Change = (root) => {
  writeFileSync(join(root, 'added'), 'new', { mode: 0o755 });
  chmodSync(join(root, 'added'), 0o4755);
  setXattr(join(root, 'added'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
  unlinkSync(join(root, 'deleted'));
  writeFileSync(join(root, 'dir/file'), 'after it was changed');
  linkSync(join(root, 'dir/file'), join(root, 'dir/hard'));
  rmSync(join(root, 'emptied'), { recursive: true });
  mkdirSync(join(root, 'emptied'));
  writeFileSync(join(root, 'emptied/new'), 'new');
  rmSync(join(root, 'was-dir'), { recursive: true });
  mknod(join(root, 'was-dir'), 0o010600);
  unlinkSync(join(root, 'was-file'));
  mkdirSync(join(root, 'was-file'));
  symlinkSync('/outside', join(root, 'was-file/inside'));
  chownSync(join(root, 'owned'), 12, 34);
  settle(root, ['added', 'dir/file', 'emptied/new', 'was-dir', 'was-file/inside', 'dir', 'emptied', 'was-file']);
};

/** Times that a tar in whole seconds keeps, each another. */
function settle(root: string, paths: readonly string[]): void {
  for (const [at, path] of paths.entries())
    setTimes(join(root, path), { mtimeNs: 1_000_000_000_000_000_000n + BigInt(at) * 1_000_000_000n });
}

/** The snapshot's tar on the same parents makes the same tree. */
async function roundtrip(
  subject: GraphUnderTest,
  { key, chain }: { readonly key: string; readonly chain: readonly string[] },
): Promise<void> {
  const tar = await work(subject).diff({ key, chain });
  await prepare(subject, 'copy', chain);
  await work(subject).apply({ key: 'copy', chain }, tar, { diffId: digestOf(tar) });
  await subject.driver.commit({ key: 'copy', name: 'copy', chain }, subject.ctx);
  const text = async (of: string): Promise<readonly string[]> => {
    await using tree = await show(subject, { key: of, chain, readOnly: true, attachmentId: `look-${of}` });
    return treeText(tree.path, { xattrs: (name) => name === 'security.capability' });
  };
  assert.deepEqual(await text('copy'), await text(key));
}

async function applied(subject: GraphUnderTest, key: string, tar: Buffer): Promise<void> {
  await prepare(subject, key, []);
  await work(subject).apply({ key, chain: [] }, tar, { diffId: digestOf(tar) });
  await subject.driver.commit({ key, name: key, chain: [] }, subject.ctx);
  await using tree = await show(subject, { key, chain: [], readOnly: true });
  assert.ok(readFileSync(join(tree.path, 'file')).equals(contentOf(tar)));
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A ustar archive of one file (POSIX.1-1988). */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 'latin1');
  for (const [at, text] of [
    [100, '0000644\0'],
    [108, '0000000\0'],
    [116, '0000000\0'],
    [124, `${content.length.toString(8).padStart(11, '0')}\0`],
    [136, '00000000000\0'],
    [148, '        '],
    [156, '0'],
    [257, 'ustar\x0000'],
  ] as const)
    header.write(text, at, 'latin1');
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512), Buffer.alloc(1024)]);
}

function contentOf(tar: Buffer): Buffer {
  return tar.subarray(512, 512 + Number.parseInt(tar.toString('latin1', 124, 135), 8));
}
