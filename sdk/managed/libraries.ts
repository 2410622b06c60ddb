import { existsSync, globSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { notFound } from '../errors.ts';
import { type Elf, readElf } from './elf.ts';

/** One file of this machine, and where it is to be in a root file system. */
export interface LibraryFile {
  readonly from: string;
  readonly to: string;
}

/**
 * What programs and libraries of this machine need to be loaded: their loaders and libraries, and what those need, as ldd(1) would find them without
 * running anything. `not_found` names the first that is not there.
 */
export function librariesOf(files: readonly string[]): readonly LibraryFile[] {
  const found = new Map<string, LibraryFile>();
  const pending = [...files];
  const standard = standardFolders();
  const add = (from: string, to: string): void => {
    if (found.has(basename(to))) return;
    found.set(basename(to), { from: realpathSync(from), to });
    pending.push(from);
  };
  const seen = new Set<string>();
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    const elf = seen.has(file) ? undefined : readElf(file);
    seen.add(file);
    if (elf === undefined) continue;
    // Programs name it by its whole path, and some libraries by its last part, as one of those they need.
    if (elf.interpreter !== undefined) {
      found.set(basename(elf.interpreter), { from: realpathSync(elf.interpreter), to: elf.interpreter });
      pending.push(elf.interpreter);
    }
    for (const name of elf.needed) {
      if (found.has(name)) continue;
      const own = elf.runPath.map((folder) => folder.replace(/\$(ORIGIN|\{ORIGIN\})/g, dirname(realpathSync(file))));
      const path = findLibrary(name, elf, [...own, ...standard, ...configuredFolders()]);
      if (path === undefined) throw notFound(`library ${name}, which ${file} needs, is not on this machine`);
      add(path, path);
    }
  }
  return settled([...found.values()], standard);
}

/** A library of the machine by its name, for what is loaded at run time only; undefined: there is none. */
export function findOptional(name: string): string | undefined {
  const like = readElf(process.execPath);
  return like === undefined ? undefined : findLibrary(name, like, [...standardFolders(), ...configuredFolders()]);
}

function findLibrary(name: string, { machine }: Pick<Elf, 'machine'>, folders: readonly string[]): string | undefined {
  if (name.includes('/')) return existsSync(name) ? name : undefined;
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path) && readElf(path)?.machine === machine);
}

/** Where a loader looks without being told: Debian's and others'. */
function standardFolders(): readonly string[] {
  const multiarch = globSync(['/lib/*-linux-gnu*', '/usr/lib/*-linux-gnu*', '/lib/*-linux-musl*', '/usr/lib/*-linux-musl*']).toSorted();
  return [...multiarch, '/lib64', '/usr/lib64', '/lib', '/usr/lib'];
}

function configuredFolders(): readonly string[] {
  return globSync(['/etc/ld.so.conf', '/etc/ld.so.conf.d/*.conf', '/etc/ld-musl-*.path'])
    .toSorted()
    .flatMap((file) => readFileSync(file, 'utf8').split(/[\n:]/))
    .map((line) => line.trim())
    .filter((line) => line.startsWith('/'));
}

/** What is in a folder that only this machine's loader was told of goes beside the C library, where every loader looks. */
function settled(files: readonly LibraryFile[], standard: readonly string[]): readonly LibraryFile[] {
  const libc = files.find(({ to }) => /^libc\.(so|musl)/.test(basename(to)));
  const isKnown = (folder: string): boolean =>
    standard.includes(folder) || libc === undefined || files.some(({ to }) => to === libc.to && dirname(to) === folder);
  return files
    .map(({ from, to }) => ({ from, to: isKnown(dirname(to)) ? to : join(dirname(libc?.to ?? '/lib/x'), basename(to)) }))
    .toSorted((a, b) => (a.to < b.to ? -1 : 1));
}
