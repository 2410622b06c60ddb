import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const modules = 'node_modules';
/** npm's own list of what it installed. */
const list = `${modules}/.package-lock.json`;
const maxListBytes = 16 * 1024 * 1024;

/**
 * What npm put into a folder's node_modules for those who work on it, not for those who run it, by path from the folder: packages that only
 * devDependencies ask for, links to programs, and the list that says so. Nothing without that list, or when it makes no sense.
 */
export function developmentPackages(folder: string): ReadonlySet<string> {
  try {
    const path = join(folder, list);
    const { size } = lstatSync(path);
    if (size > maxListBytes) return new Set();
    const { packages } = JSON.parse(readFileSync(path, 'utf8')) as {
      readonly packages: Readonly<Record<string, { readonly dev?: unknown }>>;
    };
    const dev = Object.entries(packages).filter(([name, { dev: isDev }]) => isDev === true && name.startsWith(`${modules}/`));
    return new Set([...dev.map(([name]) => name), list, `${modules}/.bin`]);
  } catch {
    return new Set();
  }
}
