import { mkdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Attachment } from '@gantry/sdk';
import { makeMounts, unmount } from '../../../core/execute/index.ts';
import type { MountedVolume } from '../../../sdk/volume/conformance.ts';

let mounted = 0;

/** What a driver mounted itself, bound as the engine binds it. */
export async function mountBound({ mounts }: Attachment): Promise<MountedVolume> {
  const path = join(tmpdir(), `mounted-${(mounted += 1)}`);
  mkdirSync(path);
  const grants = { plugin: 'test', dataDir: '/', mountTypes: [], hostPaths: [tmpdir()], devices: [], nftables: false };
  await makeMounts({ target: path, mounts, grants, restricted: true });
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await unmount(path);
      rmdirSync(path);
    },
  };
}
