import { createReadStream, lstatSync, readdirSync } from 'node:fs';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import { places } from './config.ts';
import { readElf } from './elf.ts';
import { inRoot } from './in-root.ts';
import { findOptional, librariesOf, type LibraryFile } from './libraries.ts';
import { type Entry, sdkFiles } from './sdk-files.ts';

interface Laid {
  /** The command line that runs it in the root file system. */
  readonly start: readonly string[];
  readonly notes: readonly string[];
}
interface Laying {
  readonly base: string | undefined;
  readonly manifest: Manifest;
  readonly entry: Entry;
}

/**
 * Puts a Node into a root file system, unless the base brought one that will do: this machine's, with the libraries that it and native code need. In a base they go
 * into a folder of their own, with their loader, so that the base's own libraries stay and programs of the base find no others.
 */
export async function layNode(rootfs: string, { base, manifest, entry }: Laying): Promise<Laid> {
  const brought =
    base === undefined ? undefined : usual.find((path) => lstatSync(inRoot(rootfs, path), { throwIfNoEntry: false })?.isFile() === true);
  const found = brought === undefined ? undefined : await checkBrought(inRoot(rootfs, brought), base ?? '');
  if (brought !== undefined && found?.isUsable === true) return { start: [brought], notes: found.notes };
  const wanted = manifest.provides.some(({ contract }) => contract === 'network') ? [findOptional('libnftables.so.1')] : [];
  const named = wanted.filter((path) => path !== undefined).map((path) => ({ from: path, to: path }));
  const native = [...sdkFiles(entry).values()].flatMap((file) => ('from' in file && file.from.endsWith('.node') ? [file.from] : []));
  const libraries = [...named, ...librariesOf([process.execPath, ...native, ...named.map(({ from }) => from)])];
  const { start, files } = base === undefined ? amongTheRest(libraries) : apart(libraries);
  for (const { from, to } of files) await lay(from, inRoot(rootfs, to));
  await inEtc(rootfs);
  return { start, notes: found?.notes ?? [] };
}

interface Placed {
  readonly start: readonly string[];
  readonly files: readonly LibraryFile[];
}

function amongTheRest(libraries: readonly LibraryFile[]): Placed {
  return { start: [places.node], files: [{ from: process.execPath, to: places.node }, ...libraries] };
}

function apart(libraries: readonly LibraryFile[]): Placed {
  const loader = readElf(process.execPath)?.interpreter;
  const program = join(places.ownNode, 'node');
  const folder = join(places.ownNode, 'lib');
  if (loader === undefined) return { start: [program], files: [{ from: process.execPath, to: program }] };
  const ownLoader = join(places.ownNode, basename(loader));
  const files = libraries.map(({ from, to }) => ({ from, to: to === loader ? ownLoader : join(folder, basename(to)) }));
  return { start: [ownLoader, '--library-path', folder, program], files: [{ from: process.execPath, to: program }, ...files] };
}

const usual = ['/usr/local/bin/node', places.node, '/bin/node'] as const;
const oldest = 24;

/** It is not run here: it may be for another machine. */
async function checkBrought(path: string, base: string): Promise<{ readonly isUsable: boolean; readonly notes: readonly string[] }> {
  const [theirs, ours] = [readElf(path), readElf(process.execPath)];
  if (theirs !== undefined && theirs.machine !== ours?.machine)
    throw invalidArgument(`${base} is for another kind of machine (ELF machine ${theirs.machine}, here it is ${ours?.machine})`);
  const instead = (why: string) => ({ isUsable: false, notes: [`the Node of ${base} ${why}: this machine's is put beside it`] });
  if (theirs === undefined) return instead('is no program');
  // The SDK calls the kernel by glibc.
  if (theirs.interpreter?.includes('musl') === true) return instead('has musl for its C library');
  const version = await versionIn(path);
  if (version === undefined) return { isUsable: true, notes: [`whether the Node of ${base} is version ${oldest} or later is not known`] };
  if (Number(version.split('.')[0]) < oldest) return instead(`is version ${version}, and ${oldest} or later is needed`);
  return { isUsable: true, notes: [] };
}

/** Node's own binaries have the address of their source in them. */
async function versionIn(path: string): Promise<string | undefined> {
  let rest = '';
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, encoding: 'latin1' })) {
    const text = rest + String(chunk);
    const found = /\/v(\d+\.\d+\.\d+)\/node-v/.exec(text);
    if (found !== null) return found[1];
    rest = text.slice(-100);
  }
  return undefined;
}

async function lay(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
  await chmod(to, 0o755);
}

/** What os.userInfo() and look-ups of names read. */
async function inEtc(rootfs: string): Promise<void> {
  const etc = inRoot(rootfs, '/etc');
  await mkdir(etc, { recursive: true });
  const there = readdirSync(etc);
  const files = { passwd: 'root:x:0:0:root:/root:/usr/sbin/nologin\n', group: 'root:x:0:\n', 'nsswitch.conf': 'hosts: files dns\n' };
  for (const [name, text] of Object.entries(files)) if (!there.includes(name)) await writeFile(join(etc, name), text);
}
