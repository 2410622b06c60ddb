import { closeSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  chdir,
  isErrno,
  mount,
  mountAttributes,
  mountFlags,
  mountOverlay,
  mountSetattr,
  moveMount,
  openTree,
  pivotRoot,
  unshare,
} from '@gantry/sdk/linux';
import type { ContainerMount, ContainerRoot } from '../types.ts';
import { devices as usualDevices } from './system.ts';

/** Where it is put together, in the sandbox's own root. */
const place = 'container';
const limited = mountFlags.nosuid | mountFlags.nodev | mountFlags.noexec;

interface Tree {
  readonly at: string;
  readonly descriptor: number;
  readonly isFolder: boolean;
}
export interface ContainerParts {
  /** Puts its file system into the root that is being made, while the machine's paths are still there. */
  mountAt(root: string): void;
  /** Makes it this thread's root, and nobody else's. */
  enter(): void;
}

/**
 * A root file system that strangers made. What is shown of the machine is opened by the machine's paths before anything of that file system is there, and put
 * into place when it is the root: none of its symlinks can lead out, for a mount or for a folder that is made.
 */
export function prepareContainer(container: ContainerRoot): ContainerParts {
  const { rootDir, upperDir, workDir, allDevices, devices, mounts } = container;
  const shown = allDevices ? [] : [...new Set([...usualDevices, ...devices])];
  const trees = [
    ...(allDevices ? [opened({ source: '/dev', target: '/dev', readOnly: false, propagates: false })] : []),
    ...shown.map((path) => opened({ source: path, target: path, readOnly: false, propagates: false })),
    ...mounts.flatMap((each) => (each.source === undefined ? [] : [opened({ ...each, source: each.source })])),
  ];
  const files = container.hasMachinesNames ? namesOfMachine() : new Map<string, Buffer>();
  return {
    mountAt(root) {
      mkdirSync(join(root, place));
      mountOverlay({ lower: [rootDir], upper: upperDir, work: workDir, target: join(root, place) });
    },
    enter() {
      // The sandbox's first process stays where its shell is.
      unshare('mount');
      const proc = openTree('/proc', { clone: true, recursive: true });
      chdir(`/${place}`);
      pivotRoot();
      put({ at: '/proc', descriptor: proc, isFolder: true });
      if (!allDevices) makeDevices();
      mountSys();
      for (const { source, target } of mounts) {
        if (source !== undefined) continue;
        mkdirSync(target, { recursive: true });
        mount('tmpfs', target, { type: 'tmpfs', flags: limited & ~mountFlags.noexec, data: 'mode=755' });
      }
      for (const tree of trees) put(tree);
      for (const [path, content] of files) write(path, content);
      mkdirSync(container.cwd, { recursive: true });
    },
  };
}

function opened({ source, target, readOnly, propagates }: ContainerMount & { readonly source: string }): Tree {
  const isFolder = statSync(source).isDirectory();
  const descriptor = openTree(source, { clone: true, recursive: true });
  if (!propagates) mountSetattr(descriptor, { propagation: mountFlags.private, recursive: true });
  if (readOnly) mountSetattr(descriptor, { set: mountAttributes.rdonly, recursive: true });
  return { at: target, descriptor, isFolder };
}

function put({ at, descriptor, isFolder }: Tree): void {
  if (isFolder) mkdirSync(at, { recursive: true });
  else if (!existsSync(at)) write(at, Buffer.alloc(0));
  moveMount(descriptor, at);
  closeSync(descriptor);
}

function makeDevices(): void {
  mkdirSync('/dev', { recursive: true });
  mount('tmpfs', '/dev', { type: 'tmpfs', flags: mountFlags.nosuid | mountFlags.noexec, data: 'mode=755,size=64k' });
  mkdirSync('/dev/shm');
  mount('tmpfs', '/dev/shm', { type: 'tmpfs', flags: limited, data: 'mode=1777,size=64m' });
  for (const [name, target] of Object.entries({ fd: '', stdin: '/0', stdout: '/1', stderr: '/2' }))
    symlinkSync(`/proc/self/fd${target}`, `/dev/${name}`);
}

/** Of its own network. Some machines do not allow it, and few plugins look. */
function mountSys(): void {
  try {
    mkdirSync('/sys', { recursive: true });
    mount('sysfs', '/sys', { type: 'sysfs', flags: limited | mountFlags.rdonly });
  } catch (error) {
    if (!isErrno(error, 'EPERM', 'EBUSY')) throw error;
  }
}

/** By which names are found in the network that it shares. */
function namesOfMachine(): ReadonlyMap<string, Buffer> {
  const found = ['/etc/hosts', '/etc/resolv.conf'].flatMap((path) => {
    try {
      return [[path, readFileSync(path)] as const];
    } catch {
      return [];
    }
  });
  return new Map(found);
}

function write(path: string, content: Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
