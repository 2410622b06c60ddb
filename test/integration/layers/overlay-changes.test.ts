import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mountOverlay, umount2 } from '@gantry/sdk/linux';
import { unpackedChanges } from '../../../core/layers/worker/change-list.ts';
import { TreeWorkers } from '../../../core/layers/worker/pool.ts';
import type { Comparison } from '../../../core/layers/worker/protocol.ts';
import { withExt4 } from '../../support/disks/ext4.ts';
import { leakGuard } from '../../support/machine/leak-guard.ts';
import { inNamespaces } from '../../support/machine/namespaces.ts';

inNamespaces(import.meta.url);
const disk = withExt4({ sizeMiB: 256 });
after(() => disk[Symbol.asyncDispose]());
leakGuard();

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`what an overlay's own signs say is what its tree shows to have changed: trees made by chance, number ${seed}`, async () => {
    await using workers = new TreeWorkers();
    const folder = mkdtempSync(join(disk.path, 'overlay-'));
    const pick = chance(seed);
    const layers: string[] = [];
    // The first of them lies alone.
    for (let at = 0; at < 5; at += 1) {
      const layer = join(folder, `layer${at}`);
      mkdirSync(layer);
      if (at === 0) times(60, () => change(layer, pick));
      else inOverlay(folder, { upper: layer, lower: layers }, (root) => times(at === 4 ? 25 : 15, () => change(root, pick)));
      layers.unshift(layer);
    }
    const [upper = '', ...lower] = layers;
    const told = async (comparison: Comparison) => unpackedChanges(await workers.run('changes', { comparison }));
    const [below, merged] = [join(folder, 'below'), join(folder, 'merged')];
    for (const [target, shown] of [
      [below, lower],
      [merged, layers],
    ] as const) {
      mkdirSync(target);
      mountOverlay({ lower: shown, target, options });
    }
    const wanted = await told({ kind: 'trees', upper: merged, lower: [below] });
    assert.ok(wanted.length > 5);
    assert.deepEqual(await told({ kind: 'overlay', upper, lower }), wanted);
    assert.deepEqual(await told({ kind: 'overlay', upper, lower: [below] }), wanted);
    umount2(below);
    umount2(merged);
    rmSync(folder, { recursive: true });
  });
}

/** The same numbers for the same seed: a linear congruential generator. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

/** One thing that programs do to a tree. Few names, so that they meet what is there. */
function change(root: string, pick: (below: number) => number): void {
  const names = ['a', 'b', 'c', 'd', 'é', '.wh.x'];
  const name = (): string => names[pick(names.length)] ?? '';
  let folder = root;
  for (let depth = pick(4); depth > 0; depth -= 1) {
    const next = join(folder, name());
    if (lstatSync(next, { throwIfNoEntry: false })?.isDirectory() === true) folder = next;
  }
  const path = join(folder, name());
  const stat = lstatSync(path, { throwIfNoEntry: false });
  const isFolder = stat?.isDirectory() === true;
  switch (pick(8)) {
    case 0:
      return rmSync(path, { recursive: true, force: true });
    case 1: // Emptied and made again: an opaque folder.
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path);
      return writeFileSync(join(path, name()), 'new');
    case 2:
      if (stat !== undefined && !stat.isSymbolicLink()) chmodSync(path, stat.mode ^ 0o010);
      return;
    case 3: // Copied up, and as it was.
      if (stat !== undefined && !stat.isSymbolicLink()) utimesSync(path, stat.atimeMs / 1000, stat.mtimeMs / 1000);
      return;
    case 4:
      rmSync(path, { recursive: true, force: true });
      return symlinkSync(name(), path);
    case 5:
      return stat === undefined || isFolder ? undefined : renameSync(path, join(root, `moved${pick(5)}`));
    case 6:
      return stat === undefined ? mkdirSync(path) : undefined;
    default:
      return isFolder || stat?.isSymbolicLink() === true ? undefined : writeFileSync(path, 'x'.repeat(pick(50)));
  }
}

function times(count: number, work: () => void): void {
  for (let at = 0; at < count; at += 1) work();
}

function inOverlay(
  folder: string,
  { upper, lower }: { readonly upper: string; readonly lower: readonly string[] },
  work: (root: string) => void,
): void {
  const [target, workFolder] = [mkdtempSync(join(folder, 'root-')), mkdtempSync(join(folder, 'work-'))];
  mountOverlay({ lower, upper, work: workFolder, target, options });
  try {
    work(target);
  } finally {
    umount2(target);
  }
}

/** The driver's own: what is renamed is copied. */
const options = { index: 'off', redirect_dir: 'off', metacopy: 'off' };
