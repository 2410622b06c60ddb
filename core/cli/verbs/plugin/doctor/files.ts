import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface PluginFile {
  /** Below the folder. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly isLink: boolean;
}

const most = 20_000;
const maxSourceBytes = 2 * 1024 * 1024;

/** Everything in a plugin's folder that would be packed: `leftOut` are the paths that would not, with what is in them. */
export function filesOf(folder: string, leftOut: ReadonlySet<string>): readonly PluginFile[] {
  const found: PluginFile[] = [];
  const walk = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (leftOut.has(relative(folder, path)) || found.length >= most) continue;
      if (entry.isDirectory()) walk(path);
      else found.push({ path: relative(folder, path), sizeBytes: lstatSync(path).size, isLink: entry.isSymbolicLink() });
    }
  };
  walk(folder);
  return found;
}

/** The plugin's own JavaScript and TypeScript, comments left out; not what it depends on. */
export function sourcesOf(folder: string, files: readonly PluginFile[]): readonly { readonly path: string; readonly text: string }[] {
  return files
    .filter(({ path, sizeBytes, isLink }) => isSource.test(path) && !isNotItsOwn.test(path) && !isLink && sizeBytes <= maxSourceBytes)
    .map(({ path }) => ({ path, text: withoutComments(readFileSync(join(folder, path), 'utf8')) }));
}

const isSource = /\.[cm]?[jt]s$/;
const isNotItsOwn = /(^|\/)(node_modules|test|tests|dist-test)\/|\.test\.|\.d\.[cm]?ts$/;

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}
