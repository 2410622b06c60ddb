import { open } from 'node:fs/promises';
import type { Abortable } from '@gantry/sdk';
import { packPlugin, type PackRequest } from './pack.ts';
import { Staging } from './staging.ts';
import type { InstallTools } from './types.ts';
import { unpackTar } from './unpack.ts';

/**
 * Packs the folder that a tar holds; answers the file's bytes, to be read once. `scratch`: a path at which a folder may be made; nothing stays
 * there, since the answer is an open file without a name.
 */
export async function packArchive(
  tar: AsyncIterable<Buffer>,
  scratch: string,
  { format, signal }: Pick<PackRequest, 'format'> & Abortable,
  { trees }: Pick<InstallTools, 'trees'>,
): Promise<AsyncIterable<Buffer>> {
  await using staging = await Staging.open(scratch);
  await unpackTar(tar, staging.tree, { trees, whiteouts: 'none', signal });
  const out = staging.path(format === 'npm' ? 'packed.tgz' : 'packed.tar');
  await packPlugin(staging.tree, { format, out, signal }, { trees });
  return (await open(out)).createReadStream() as AsyncIterable<Buffer>;
}
