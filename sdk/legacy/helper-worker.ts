import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import {
  becomeUser,
  mount,
  moveMount,
  posixSpawn,
  readMountinfo,
  setNoNewPrivileges,
  setPropagation,
  umount2,
  unmountFlags,
  unshare,
} from '../linux/index.ts';

/** What a thread is told that becomes the helper's surroundings. Descriptors are this process's. */
export interface HelperJob {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  readonly places: readonly { readonly path: string; readonly isFolder: boolean; readonly tree: number }[];
  readonly stdio: readonly number[];
  /** By number. */
  readonly capabilities: readonly number[];
  /** The plugin's own folder, with its data and what it mounted: the helper sees neither, and does not keep others' mounts from ending. */
  readonly hidden: string;
}

/**
 * Starts one helper in a mount namespace of its own, without the plugin's rights: a thread can give away what its process keeps, and what it starts inherits that.
 */
const { argv, env, files, places, stdio, capabilities, hidden } = workerData as HelperJob;
unshare('mount', 'fs');
setPropagation('/', 'private', { recursive: true });
const mounted = readMountinfo().map(({ mountPoint }) => mountPoint);
for (const path of mounted.toReversed()) if (path === hidden || path.startsWith(`${hidden}/`)) umount2(path, unmountFlags.detach);
mkdirSync('/run', { recursive: true });
mount('tmpfs', '/run', { type: 'tmpfs', flags: new Set(['nosuid', 'nodev']), data: 'mode=755,size=4m' });
for (const { path, bytes } of files) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes, { mode: 0o400 });
}
for (const { path, isFolder, tree } of places) {
  mkdirSync(isFolder ? path : dirname(path), { recursive: true });
  if (!isFolder) writeFileSync(path, '');
  moveMount(tree, path);
}
setNoNewPrivileges();
becomeUser({ uid: 0, gid: 0, capabilities });
parentPort?.postMessage(posixSpawn({ file: argv[0] ?? '', argv, env, stdio: [null, ...stdio], cwd: '/', setsid: true }));
