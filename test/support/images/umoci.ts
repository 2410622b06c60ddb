import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { treeText } from '../../../sdk/graph/conformance-tree-text.ts';
import { makeImage } from './image-archive.ts';
import { addImage, type LayersRoomOptions, openLayers } from '../engine/layers-room.ts';
import { oddImages } from './odd-images.ts';

export interface AgainstUmoci extends LayersRoomOptions {
  readonly driver: string;
  /** Where both make their trees. */
  readonly root: string;
  /** Images that the program behind the driver shows otherwise without any of ours, with what it does. */
  readonly limits?: Readonly<Record<string, string>>;
}

/** One test for each odd image: the tree that the driver shows is the one that umoci makes of the same layers. */
export function testAgainstUmoci({ driver, root, limits = {}, ...room }: AgainstUmoci): void {
  const missing = spawnSync('umoci', ['--version']).error === undefined ? false : 'needs umoci';
  for (const [name, layers] of Object.entries(oddImages)) {
    test(`an image with ${name} looks with ${driver} as umoci unpacks it`, { skip: limits[name] ?? missing }, async () => {
      // The clock's time is another each time.
      const options = { folderTimes: !/no layer names|needs again/.test(name) };
      const expected = unpacked(root, layers, options);
      const folder = mkdtempSync(join(root, 'layers-'));
      {
        await using opened = openLayers(folder, room);
        const sources = layers.map((tar) => opened.source(tar));
        const chainIds = await addImage(opened, sources, driver);
        {
          await using shown = await opened.layers.images.show(chainIds.at(-1) ?? '');
          assert.deepEqual(treeText(shown.path, options), expected);
        }
        await opened.removeAll(driver);
      }
      rmSync(folder, { recursive: true });
    });
  }
}

/** By umoci, into a folder of the same file system. */
function unpacked(root: string, layers: readonly Buffer[], options: Parameters<typeof treeText>[1]): readonly string[] {
  const work = mkdtempSync(join(root, 'umoci-'));
  const layout = mkdtempSync(join(tmpdir(), 'layout-'));
  try {
    mkdirSync(join(work, 'tree'));
    execFileSync('tar', ['-xf', '-', '-C', layout], { input: makeImage({ format: 'oci', reference: 'odd:latest', layers }).archive });
    const { status, stderr } = spawnSync('umoci', ['raw', 'unpack', '--image', `${layout}:latest`, join(work, 'tree')], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    return treeText(join(work, 'tree'), options);
  } finally {
    rmSync(layout, { recursive: true });
    rmSync(work, { recursive: true });
  }
}
