import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { getXattr, isErrno, setXattr } from '../linux/index.ts';
import { attach, layer, list, prepare, show } from './conformance-steps.ts';
import { cannotMount, cases, type GraphCase, type GraphUnderTest } from './conformance-subject.ts';

/** How much a snapshot may take, how many there may be, and what only some kernels know. */
export const limits: readonly GraphCase[] = [
  ...cases(
    {
      'quota.enforced-ENOSPC': async (subject) => {
        await layer(subject, 'one', [], (root) => writeFileSync(join(root, 'below'), Buffer.alloc(3 * mebibyte, 1)));
        await subject.driver.prepare({ key: 'two', chain: ['one'], quotaBytes: 8 * mebibyte }, subject.ctx);
        const reason = await whyNoQuota(subject, 'two', ['one']);
        if (reason !== undefined) return reason;
        await using tree = await show(subject, { key: 'two', chain: ['one'] });
        assertBetween(fill(join(tree.path, 'first'), 32 * mebibyte), 4, 9);
        // Nor by another name, nor in a folder.
        assert.ok(fill(join(tree.path, 'second'), 4 * mebibyte) < mebibyte);
        return undefined;
      },
    },
    (subject) => cannotMount(subject) ?? (subject.driver.features.includes('quota') ? undefined : 'no feature quota'),
  ),
  ...cases(
    {
      'quota.resize': async (subject) => {
        await layer(subject, 'one', []);
        await subject.driver.prepare({ key: 'two', chain: ['one'], quotaBytes: 4 * mebibyte }, subject.ctx);
        const reason = await whyNoQuota(subject, 'two', ['one']);
        if (reason !== undefined) return reason;
        {
          await using tree = await show(subject, { key: 'two', chain: ['one'] });
          assertBetween(fill(join(tree.path, 'first'), 32 * mebibyte), 2, 5);
        }
        await subject.driver.resize?.({ key: 'two', quotaBytes: 12 * mebibyte }, subject.ctx);
        {
          await using tree = await show(subject, { key: 'two', chain: ['one'] });
          assertBetween(fill(join(tree.path, 'second'), 32 * mebibyte), 5, 9);
        }
        await subject.driver.resize?.({ key: 'two', quotaBytes: 0 }, subject.ctx);
        await using tree = await show(subject, { key: 'two', chain: ['one'] });
        assert.equal(fill(join(tree.path, 'third'), 16 * mebibyte), 16 * mebibyte);
        return undefined;
      },
    },
    (subject) => {
      if (!subject.driver.features.includes('quota')) return 'no feature quota';
      return cannotMount(subject) ?? (subject.driver.resize === undefined ? 'has no resize' : undefined);
    },
  ),
  ...cases(
    { 'userns.idmap-ownership': async () => undefined },
    // Requests have fields for owner maps; the engine maps owners itself, when it mounts, and asks no driver.
    () => 'no feature idmap',
  ),
  ...cases(
    {
      'selinux.label': async (subject) => {
        const label = Buffer.from('system_u:object_r:container_file_t:s0\0');
        await layer(subject, 'one', [], (root) => {
          writeFileSync(join(root, 'file'), 'x');
          setXattr(join(root, 'file'), 'security.selinux', label);
        });
        await prepare(subject, 'two', ['one']);
        await using tree = await show(subject, { key: 'two', chain: ['one'] });
        writeFileSync(join(tree.path, 'file'), 'y');
        assert.deepEqual(getXattr(join(tree.path, 'file'), 'security.selinux'), label);
      },
    },
    (subject) => cannotMount(subject) ?? (existsSync('/sys/fs/selinux/enforce') ? undefined : 'no SELinux here'),
  ),
  ...cases(
    {
      'space.10k-layers-list-time': async (subject) => {
        const timed = async () => {
          const began = performance.now();
          const found = await list(subject.driver, subject.ctx);
          return { keys: found.map(({ key }) => key), tookMs: performance.now() - began };
        };
        // What asking costs by itself: a program to start, on a machine that may be slow.
        const none = await timed();
        const began = performance.now();
        const keys: string[] = [];
        // A driver for which that many are slow to make shows as many as it makes in that time.
        while (keys.length < 10_000 && performance.now() - began < 10_000) {
          const more = Array.from({ length: 50 }, (_, at) => `many-${keys.length + at}`);
          await Promise.all(more.map((key) => prepare(subject, key, [])));
          keys.push(...more);
        }
        const all = await timed();
        assert.deepEqual(all.keys, keys.toSorted());
        const bearableMs = 2 * none.tookMs + keys.length / 2 + 100;
        assert.ok(all.tookMs < bearableMs, `${keys.length} snapshots were listed in ${all.tookMs} ms, none in ${none.tookMs} ms`);
        for (let at = 0; at < keys.length; at += 50)
          await Promise.all(keys.slice(at, at + 50).map((key) => subject.driver.remove({ key }, subject.ctx)));
        assert.deepEqual(await list(subject.driver, subject.ctx), []);
      },
    },
    () => undefined,
  ),
];

const mebibyte = 1 << 20;

/** A driver that limits by itself describes no quota. */
async function whyNoQuota(subject: GraphUnderTest, key: string, chain: readonly string[]): Promise<string | undefined> {
  const { mounts } = await attach(subject, { key, chain });
  await subject.driver.detach({ key, attachmentId: 'test' }, subject.ctx);
  return mounts.some(({ quotaBytes }) => quotaBytes !== undefined) ? subject.noProjectQuota : undefined;
}

/** Writes until it is told that there is no room; the bytes that went in. */
function fill(path: string, mostBytes: number): number {
  const chunk = Buffer.alloc(256 * 1024, 1);
  let file: number | undefined;
  let written = 0;
  try {
    // Where metadata counts as well, the name alone may be too much.
    file = openSync(path, 'w');
    while (written < mostBytes) written += writeSync(file, chunk);
  } catch (error) {
    if (!isFull(error)) throw error;
  } finally {
    if (file !== undefined) closeSync(file);
  }
  return written;
}

/** Some file systems say ENOSPC, others EDQUOT, for which Node has no name. */
function isFull(error: unknown): boolean {
  return isErrno(error, 'ENOSPC', 'EDQUOT') || (error instanceof Error && 'errno' in error && error.errno === -122);
}

function assertBetween(bytes: number, least: number, most: number): void {
  assert.ok(
    bytes >= least * mebibyte && bytes <= most * mebibyte,
    `${(bytes / mebibyte).toFixed(1)} MiB could be written, not ${least} to ${most}`,
  );
}
