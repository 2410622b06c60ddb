import { developmentPackages } from '../../../support/index.ts';
import { packTar } from '../container/cp-tar.ts';

/** A plugin's folder as the engine takes it, without what it would leave out in any case: that can be most of it. */
export function folderTar(folder: string): AsyncGenerator<Buffer> {
  return packTar(folder, { as: '.', followLink: true, leaveOut: ['.git', 'node_modules/@gantry/sdk', ...developmentPackages(folder)] });
}
