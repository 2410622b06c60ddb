/** A process that mounts with a helper, to be killed at a failpoint: `helper-child.ts FOLDER`. */
import { join } from 'node:path';
import { mount } from '@gantry/sdk/author';
import type { Grants } from '../../../core/drivers/index.ts';
import { Helpers, makeMounts } from '../../../core/execute/index.ts';
import { quietLog } from './quiet-log.ts';

/** Places below a folder, and what a plugin with helpers is granted there. */
export function helperHouse(folder: string): { readonly dataDir: string; readonly target: string; readonly grants: Grants } {
  const dataDir = join(folder, 'data');
  const resources = { memoryBytes: 64 << 20, pids: 32 };
  const helpers = { codeDir: import.meta.dirname, uid: 1_950_000_001, capabilities: [], network: 'none', resources } as const;
  const grants = { plugin: 'test', dataDir, mountTypes: ['fuse'], hostPaths: [], devices: [], nftables: false, helpers };
  return { dataDir, target: join(folder, 'target'), grants };
}

if (import.meta.main) {
  const [folder = ''] = process.argv.slice(2);
  const { target, grants } = helperHouse(folder);
  const mounts = [mount.fuse({ argv: ['squashfuse', '-f', '{path:image}', '{fd}'], paths: { image: 'image' }, readOnly: true })];
  await makeMounts({ target, mounts, grants, helpers: new Helpers({ execRoot: folder, log: quietLog }) });
}
