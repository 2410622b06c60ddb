import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { developmentPackages } from '@gantry/sdk/managed/npm-packages';
import { temporaryOf } from '../../format/output-file.ts';
import { packTar } from '../container/cp-tar.ts';
import { readManifest } from './manifest-file.ts';

/**
 * A plugin's folder as it is given to others: what npm would publish of it and what it depends on, or all of a Docker plugin's. Refuses with
 * `invalid_argument`, before anything is read of it, a package.json that leaves out what the plugin is started with. `into`: the file that is being
 * written, which may be in the folder.
 */
export async function folderTar(folder: string, { into }: { readonly into?: string | undefined } = {}): Promise<AsyncGenerator<Buffer>> {
  const itself = into === undefined ? [] : [relative(folder, into), relative(folder, temporaryOf(into))];
  return packTar(folder, { as: '.', followLink: true, leaveOut: [...(await leftOut(folder)), ...itself] });
}

/** Of a folder with code. */
export async function leftOut(folder: string): Promise<readonly string[]> {
  const always = ['.git', 'node_modules/@gantry/sdk', ...developmentPackages(folder)];
  if (existsSync(join(folder, 'rootfs')) && existsSync(join(folder, 'config.json'))) return always;
  const { unpublishedPaths } = await import('@gantry/sdk/managed');
  return [...always, ...(await unpublishedPaths(folder, await readManifest(folder)))];
}
