import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { conflict, invalidArgument, notImplemented } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import { places } from './config.ts';
import { readElf } from './elf.ts';
import { inRoot } from './in-root.ts';
import { findOptional, librariesOf } from './libraries.ts';
import { sdkFiles } from './sdk-files.ts';

interface Laid {
  /** Of the program, in the root file system. */
  readonly path: string;
  readonly notes: readonly string[];
}

/** Puts a Node into a root file system, unless the base brought one: this machine's, with the libraries that it and native code need. */
export async function layNode(
  rootfs: string,
  { base, manifest }: { readonly base: string | undefined; readonly manifest: Manifest },
): Promise<Laid> {
  const brought =
    base === undefined ? undefined : usual.find((path) => lstatSync(inRoot(rootfs, path), { throwIfNoEntry: false })?.isFile() === true);
  if (brought !== undefined) return { path: brought, notes: await checkBrought(inRoot(rootfs, brought), base ?? '') };
  const wanted = manifest.provides.some(({ contract }) => contract === 'network') ? [findOptional('libnftables.so.1')] : [];
  const libraries = wanted.filter((path) => path !== undefined);
  const native = [...sdkFiles().values()].flatMap((file) => ('from' in file && file.from.endsWith('.node') ? [file.from] : []));
  const files = [
    { from: process.execPath, to: places.node },
    ...libraries.map((path) => ({ from: path, to: path })),
    ...librariesOf([process.execPath, ...native, ...libraries]),
  ];
  for (const { from, to } of files) await lay(from, inRoot(rootfs, to), base);
  await inEtc(rootfs);
  return { path: places.node, notes: [] };
}

const usual = ['/usr/local/bin/node', places.node, '/bin/node'] as const;
const oldest = 24;

/** It is not run here: it may be for another machine. */
async function checkBrought(path: string, base: string): Promise<readonly string[]> {
  const [theirs, ours] = [readElf(path), readElf(process.execPath)];
  if (theirs === undefined) throw invalidArgument(`${base}: its node is no program`);
  if (theirs.machine !== ours?.machine)
    throw invalidArgument(`${base} is for another kind of machine (ELF machine ${theirs.machine}, here it is ${ours?.machine})`);
  if (theirs.interpreter?.includes('musl') === true) {
    throw notImplemented(`${base} has musl for its C library, and the SDK calls the kernel by glibc`, {
      hint: 'use a base with glibc, such as Debian, or none',
    });
  }
  const version = await versionIn(path);
  if (version === undefined) return [`whether the Node of ${base} is version ${oldest} or later is not known`];
  if (Number(version.split('.')[0]) < oldest) throw invalidArgument(`${base} has Node ${version}; ${oldest} or later is needed`);
  return [];
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

/** A base's own library of that name stays when it is the same; another one would be somebody's, and is not replaced. */
async function lay(from: string, to: string, base: string | undefined): Promise<void> {
  if (existsSync(to)) {
    if (readFileSync(to).equals(readFileSync(from))) return;
    throw conflict(`base ${base ?? ''} has another ${basename(to)} than this machine's Node needs`, {
      hint: 'use a base that has Node, or none',
    });
  }
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
