import { createReadStream } from 'node:fs';
import { endOfArchive, type IndexTree, paddingBytes, tarHeader } from '../layers/index.ts';

/** The files of a tree as an archive: folders are left out, and so is everything that an OCI layout has no use for. */
export async function* filesTar(tree: IndexTree): AsyncIterable<Buffer> {
  const pending = [''];
  for (let folder = pending.shift(); folder !== undefined; folder = pending.shift()) {
    for (const base of tree.names(folder)) {
      const path = folder === '' ? base : `${folder}/${base}`;
      const node = tree.node(path);
      if (node?.type === '5') pending.push(path);
      if (node?.type !== '0') continue;
      const { size, offset } = node;
      yield tarHeader({ name: Buffer.from(path, 'latin1'), type: '0', mode: 0o644, uid: 0, gid: 0, mtime: 0, size });
      if (size > 0) yield* partOf(tree.fd, offset, size);
      yield Buffer.alloc(paddingBytes(size));
    }
  }
  yield endOfArchive;
}

async function* partOf(fd: number, offset: number, size: number): AsyncIterable<Buffer> {
  const range = { fd, autoClose: false, start: offset, end: offset + size - 1, highWaterMark: 1024 * 1024 };
  yield* createReadStream('', range) as AsyncIterable<Buffer>;
}
