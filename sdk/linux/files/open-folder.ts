import { constants, fstatSync, type BigIntStats } from 'node:fs';
import { closeOpened, openat2, type OpenOptions } from './open.ts';
import type { Path } from '../path.ts';

/** A folder's descriptor that is closed with its scope. A symlink at the end is refused (ELOOP or ENOTDIR). */
export class OpenFolder implements Disposable {
  readonly file: number;

  /** By its path, which is relative to another one if there is one. */
  constructor(path: Path, { below, resolve = 0 }: { readonly below?: OpenFolder } & Pick<OpenOptions, 'resolve'> = {}) {
    this.file = openat2(below?.file, path, { flags: constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW, resolve });
  }

  stat(): BigIntStats {
    return fstatSync(this.file, { bigint: true });
  }

  [Symbol.dispose](): void {
    closeOpened(this.file);
  }
}
