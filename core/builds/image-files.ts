import { closeSync, createReadStream } from 'node:fs';
import type { Abortable } from '@gantry/sdk';
import type { ImageFile, ImageFiles } from '@gantry/sdk/engine';
import type { IndexTree } from '../layers/index.ts';
import type { Trees, TreesParts } from './trees.ts';

/** An image's tree, mounted for as long as it is wanted. Listing it copies it into a file without a name, from where contents come. */
export async function openImageFiles(
  { images, layers, trees }: TreesParts & { readonly trees: Trees },
  image: string,
  options: Abortable,
): Promise<ImageFiles> {
  await using opened = new AsyncDisposableStack();
  const isEmpty = images.resolve(image).chainIds.length === 0;
  const rootfs = isEmpty ? undefined : opened.use(await images.mount(image, options));
  const tar = (): AsyncIterable<Buffer> => (rootfs === undefined ? nothing() : layers.archives.pack(rootfs.path, options));
  const open = opened.move();
  return {
    tar,
    list: async () => {
      if (rootfs === undefined) return [];
      const { fd, tree } = await trees.openIndex(tar(), options);
      open.defer(() => closeSync(fd));
      return [...filesBelow(tree, '', new Map())];
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

const kinds = { '0': 'file', '2': 'symlink', '3': 'device', '4': 'device', '5': 'folder', '6': 'fifo' } as const;

function* filesBelow(tree: IndexTree, folder: string, first: Map<string, string>): Iterable<ImageFile> {
  for (const base of tree.names(folder)) {
    const path = folder === '' ? base : `${folder}/${base}`;
    const node = tree.node(path);
    if (node === undefined) continue;
    const before = node.inode === '' ? undefined : first.get(node.inode);
    if (node.inode !== '' && before === undefined) first.set(node.inode, path);
    const { mode, uid, gid, size, mtime, offset } = node;
    yield {
      name: textOf(path),
      kind: before === undefined ? kinds[node.type] : 'link',
      target: textOf(before ?? node.linkName),
      mode,
      uid,
      gid,
      sizeBytes: before === undefined ? size : 0,
      mtimeSeconds: mtime,
      content: () => (size === 0 || before !== undefined ? nothing() : partOf(tree.fd, { offset, size })),
    };
    if (node.type === '5') yield* filesBelow(tree, path, first);
  }
}

/** Names are kept one character per byte. */
function textOf(name: string): string {
  return Buffer.from(name, 'latin1').toString();
}

async function* partOf(fd: number, { offset, size }: { readonly offset: number; readonly size: number }): AsyncIterable<Buffer> {
  yield* createReadStream('', {
    fd,
    autoClose: false,
    start: offset,
    end: offset + size - 1,
    highWaterMark: 64 * 1024,
  }) as AsyncIterable<Buffer>;
}

async function* nothing(): AsyncIterable<Buffer> {
  // There is no content.
}
