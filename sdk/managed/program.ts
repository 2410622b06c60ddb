import { closeSync, lstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, dirname, join, posix, relative } from 'node:path';
import { type GantryError, invalidArgument } from '../errors.ts';
import type { Manifest } from '../manifest.ts';
import { places } from './config.ts';
import { readElf } from './elf.ts';
import { inRoot } from './in-root.ts';
import { librariesOf } from './libraries.ts';

/** Where programs are looked for by their names. */
const searched = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * Makes sure that what a plugin's `entry.exec` starts can run in a root file system: that it is there, with its interpreter or loader. A program that was linked here gets
 * its libraries where there is no base. Refuses with `invalid_argument` what cannot run, saying what the root must have. Nothing is run.
 */
export async function checkProgram(
  rootfs: string,
  { manifest: { name, entry }, base }: { readonly manifest: Manifest; readonly base: string | undefined },
): Promise<readonly string[]> {
  const [program = ''] = entry.exec ?? [];
  const path = program.startsWith('/') ? program : posix.join(places.code, program);
  const where = base === undefined ? 'a root without a base' : base;
  const lacks = (what: string, why: string): GantryError =>
    invalidArgument(`plugin ${name} is started as ${program}${why === '' ? '' : `, which ${why}`}, and ${where} has no ${what}`, {
      hint: `name a base that has ${what}: --base with a folder or an image in a tar; a program that needs nothing needs none (CGO_ENABLED=0 go build)`,
    });
  const file = fileIn(rootfs, path);
  if (file === undefined) throw lacks(path, '');
  if ((statSync(file).mode & 0o111) === 0)
    throw invalidArgument(`plugin ${name} is started as ${program}, which is no program: chmod +x ${program}`);
  const interpreter = interpreterOf(file);
  const missing = interpreter === undefined ? undefined : missingIn(rootfs, interpreter);
  if (missing !== undefined) throw lacks(missing, `is a script for ${interpreter?.join(' ')}`);
  if (interpreter === undefined) await checkLinked(rootfs, { name, file, program, base, lacks });
  return [...notesOfPython(rootfs, interpreter?.at(-1) ?? path), ...notesOfLibraries(rootfs)];
}

/** Of scripts in a plugin's folder, whose interpreter its root has not: its own code may start them. */
export function noteScripts(rootfs: string): readonly string[] {
  const folder = inRoot(rootfs, places.code);
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = join(folder, entry.name);
    const interpreter = entry.isFile() && (statSync(file).mode & 0o111) !== 0 ? interpreterOf(file) : undefined;
    const missing = interpreter === undefined ? undefined : missingIn(rootfs, interpreter);
    return missing === undefined
      ? []
      : [`${entry.name} is a script for ${missing}, which the root has not: name a base that has it (--base)`];
  });
}

async function checkLinked(
  rootfs: string,
  {
    name,
    file,
    program,
    base,
    lacks,
  }: {
    readonly name: string;
    readonly file: string;
    readonly program: string;
    readonly base: string | undefined;
    readonly lacks: (what: string, why: string) => GantryError;
  },
): Promise<void> {
  const elf = readElf(file);
  if (elf === undefined) throw invalidArgument(`plugin ${name} is started as ${program}, which is neither a program nor a script (#!)`);
  const ours = readElf(process.execPath)?.machine;
  if (elf.machine !== ours)
    throw invalidArgument(`plugin ${name}: ${program} is for another kind of machine (ELF machine ${elf.machine}, here it is ${ours})`);
  if (elf.interpreter === undefined) return;
  if (base !== undefined) {
    if (fileIn(rootfs, elf.interpreter) === undefined) throw lacks(elf.interpreter, 'is linked with libraries');
    return;
  }
  for (const { from, to } of librariesOf([file])) {
    const target = inRoot(rootfs, to);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(from, target);
  }
}

/** "#!/usr/bin/env -S python3 -u" → ["/usr/bin/env", "python3"]; undefined: it is no script. */
function interpreterOf(file: string): readonly [string, ...string[]] | undefined {
  const opened = openSync(file, 'r');
  try {
    const head = Buffer.alloc(256);
    const text = head.subarray(0, readSync(opened, head)).toString('latin1');
    const line = /^#! *(\S+)([^\n]*)/.exec(text);
    if (line === null) return undefined;
    const [, program = '', rest = ''] = line;
    const named =
      basename(program) === 'env'
        ? rest
            .trim()
            .split(/\s+/)
            .find((word) => !word.startsWith('-') && !word.includes('='))
        : undefined;
    return named === undefined || named === '' ? [program] : [program, named];
  } finally {
    closeSync(opened);
  }
}

/** The first of an interpreter's parts that is not in a root. */
function missingIn(rootfs: string, [program, named]: readonly [string, ...string[]]): string | undefined {
  if (fileIn(rootfs, program) === undefined) return program;
  if (named === undefined) return undefined;
  const isThere = named.startsWith('/')
    ? fileIn(rootfs, named) !== undefined
    : searched.some((folder) => fileIn(rootfs, join(folder, named)));
  return isThere ? undefined : named;
}

function fileIn(rootfs: string, path: string): string | undefined {
  const file = inRoot(rootfs, path);
  return lstatSync(file, { throwIfNoEntry: false })?.isFile() === true ? file : undefined;
}

/** Compiled modules are for one minor version of Python, and say so in their names. */
function notesOfPython(rootfs: string, program: string): readonly string[] {
  if (!/^python3?(\.\d+)?$/.test(basename(program))) return [];
  const code = inRoot(rootfs, places.code);
  const compiled = readdirSync(code, { recursive: true, withFileTypes: true }).find(({ name }) => /\.cpython-3\d+-.*\.so$/.test(name));
  const [, minor] = /\.cpython-3(\d+)-/.exec(compiled?.name ?? '') ?? [];
  if (compiled === undefined || minor === undefined) return [];
  const has = ['/usr/lib', '/usr/local/lib'].flatMap((folder) =>
    namesIn(inRoot(rootfs, folder)).filter((name) => /^python3\.\d+$/.test(name)),
  );
  if (has.length === 0 || has.includes(`python3.${minor}`)) return [];
  const module = relative(code, join(compiled.parentPath, compiled.name));
  return [`${module} is for Python 3.${minor}, and the root has ${has.join(', ')}: build the plugin with that one, or take another base`];
}

/** Of native code that a plugin brings, what it needs and neither the plugin nor the root has: the first of each library. */
function notesOfLibraries(rootfs: string): readonly string[] {
  const code = inRoot(rootfs, places.code);
  const native = readdirSync(code, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && /\.so(\.\d+)*$/.test(entry.name),
  );
  if (native.length === 0) return [];
  const folders = ['/lib', '/usr/lib', '/usr/local/lib', '/lib64', '/usr/lib64'].map((folder) => inRoot(rootfs, folder));
  const deeper = folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => /-linux-(gnu|musl)/.test(name))
      .map((name) => join(folder, name)),
  );
  const known = new Set([...native.map(({ name }) => name), ...[...folders, ...deeper].flatMap(namesIn)]);
  const lacking = new Map<string, string>();
  for (const { parentPath, name } of native) {
    for (const library of readElf(join(parentPath, name))?.needed ?? [])
      if (!known.has(library) && !lacking.has(library)) lacking.set(library, relative(code, join(parentPath, name)));
  }
  return [...lacking].map(([library, file]) => `${file} needs ${library}, which the root has not`);
}

function namesIn(folder: string): readonly string[] {
  return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];
}
