import { chmodSync, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, fromErrno, invalidArgument, unavailable } from '../errors.ts';
import { mount, mountAttributes, mountFlags, mountSetattr, openTree, run } from '../linux/index.ts';
import type { Abortable, Helper, Mount } from '../types/index.ts';
import { checkHelper, placeOf } from './helper-request.ts';
import type { MadeMounts } from './made.ts';
import { openPlace } from './places.ts';
import type { CheckedHelper, HelperRun, HelperRunner, MountGrants, MountTools } from './types.ts';

export interface HelperMount extends Abortable {
  readonly described: Mount & { readonly helper: Helper };
  /** What to mount at; `name` is the same place for people and records. */
  readonly path: string;
  readonly name: string;
  /** The mount point is a folder of the engine's own. */
  readonly isOwnFolder: boolean;
  readonly flags: number;
  readonly data: readonly string[];
  readonly grants: MountGrants;
  readonly helpers: HelperRunner;
  readonly tools: MountTools;
  readonly made: MadeMounts;
}

/**
 * Mounts FUSE and starts the helper that answers for it; resolves when it does. A failure or an abort leaves nothing. The mount point is closed to everybody first, so
 * that it is no empty folder for whoever finds the mount gone.
 */
export async function mountWithHelper(request: HelperMount): Promise<void> {
  const { described, path, name, grants, helpers, made, tools, signal = never } = request;
  const helper = checkHelper(described.helper, grants);
  await using undo = new AsyncDisposableStack();
  const started = helpers.begin({ target: name, plugin: grants.plugin, program: helper.program });
  undo.defer(() => helpers.end(name, { waitMs: 0 }));
  {
    using device = openDevice();
    if (request.isOwnFolder) closeMountPoint(path);
    mountFuse(request, device.descriptor, helper);
    undo.defer(() => made.unmountAt(described.target));
    using trees = treesOf(described.helper, { grants, made });
    await started.start({ helper, device: device.descriptor, places: trees.places, signal });
  }
  await answers({ name, helper, run: started, tools, signal });
  undo.move();
}

function openDevice(): Disposable & { readonly descriptor: number } {
  try {
    const descriptor = openSync('/dev/fuse', constants.O_RDWR);
    return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
  } catch (error) {
    const { code, message } = fromErrno(error, 'open /dev/fuse');
    throw unavailable(message, { cause: error, hint: code === 'not_found' ? 'load the kernel module fuse' : undefined });
  }
}

/** Only one that is a folder can be mounted at. */
function closeMountPoint(path: string): void {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    if (!fstatSync(folder).isDirectory()) throw invalidArgument('a file system with a helper is mounted at a folder');
    chmodSync(`/proc/self/fd/${folder}`, 0);
  } finally {
    closeSync(folder);
  }
}

function mountFuse({ described, path, flags, data, grants }: HelperMount, device: number, { program }: CheckedHelper): void {
  const uid = grants.helpers?.uid ?? 0;
  const own = [`fd=${device}`, 'rootmode=40000', `user_id=${uid}`, `group_id=${uid}`, 'allow_other'];
  const source = 'opaque' in described.source ? described.source.opaque : program;
  const type = `fuse.${program.replaceAll(/[^\w-]/g, '-')}`;
  mount(source, path, { type, flags, data: [...own, ...data.filter((option) => option !== 'allow_other')].join(',') });
}

const never = new AbortController().signal;

/** What the helper sees of the machine: detached mounts of what was described and granted, so that no path is resolved twice. */
function treesOf(
  { paths = {} }: Helper,
  { grants, made }: Pick<HelperMount, 'grants' | 'made'>,
): Disposable & { readonly places: readonly { readonly path: string; readonly tree: number }[] } {
  using opened = new DisposableStack();
  const places = Object.entries(paths).map(([name, { path, readOnly = false }]) => {
    const source = openPlace(path, grants, made);
    try {
      const tree = opened.adopt(openTree(source, { clone: true, recursive: true }), closeSync);
      const limits = mountAttributes.nosuid | ('device' in path ? 0 : mountAttributes.nodev) | (readOnly ? mountAttributes.rdonly : 0);
      mountSetattr(tree, { set: limits, propagation: mountFlags.private, recursive: true });
      return { path: placeOf('path', name), tree };
    } finally {
      closeSync(source);
    }
  });
  const owned = opened.move();
  return { places, [Symbol.dispose]: () => owned.dispose() };
}

/** Asks in a process of its own, which can be killed: whoever asks is stuck until the helper answers. */
async function answers({
  name,
  helper: { program, readyTimeoutMs },
  run: started,
  tools,
  signal,
}: Pick<HelperMount, 'name' | 'tools' | 'signal'> & { readonly helper: CheckedHelper; readonly run: HelperRun }): Promise<void> {
  const argv = [...tools.statfs, name];
  try {
    const { exitCode, stderr } = await run({ file: argv[0] ?? '', argv, env: { LC_ALL: 'C' }, timeoutMs: readyTimeoutMs, signal });
    if (exitCode === 0) return;
    // Its end is noticed a moment after its mount is dead.
    for (let waits = 0; started.causeOfEnd() === undefined && waits < 50; waits += 1) await sleep(20);
    throw unavailable(started.causeOfEnd() ?? `its helper ${program} does not answer: ${stderr.toString().trim()}`);
  } catch (error) {
    if (codeOf(error) !== 'deadline_exceeded') throw error;
    throw unavailable(`its helper ${program} did not answer within ${readyTimeoutMs} ms`, { cause: error });
  }
}
