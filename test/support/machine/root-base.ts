import { cpSync, globSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { librariesOf } from '../../../sdk/managed/libraries.ts';

/** A root file system with programs and folders of this machine, and the libraries that they and `native` need, for plugins that are packed on a base. */
export function rootBase(folder: string, paths: readonly string[], native: readonly string[] = []): string {
  const programs = paths.filter((path) => lstatSync(path).isFile() || lstatSync(path).isSymbolicLink());
  const libraries = librariesOf([...programs, ...native, ...paths.flatMap((path) => globSync(`${path}/**/*.so`))]);
  for (const { from, to } of [...paths.map((path) => ({ from: path, to: path })), ...libraries]) {
    mkdirSync(join(folder, dirname(to)), { recursive: true });
    cpSync(from, join(folder, to), {
      recursive: true,
      dereference: true,
      filter: (source) => !/\/(__pycache__|test|dist-packages)(\/|$)/.test(source),
    });
  }
  return folder;
}
