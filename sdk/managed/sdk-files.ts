import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { internal } from '../errors.ts';

/** Files by the path that they are to have, relative to /gantry. */
export type CodeFiles = ReadonlyMap<string, { readonly from: string } | { readonly text: string }>;

/** How the plugin is started, and with that what serves it, without the ending that it has here. */
export type Entry = 'node' | 'exec';
const serving: Readonly<Record<Entry, string>> = { node: 'legacy/process', exec: 'legacy/process-exec' };
const besides = ['legacy/mount-child', 'legacy/helper-worker'];
/** Doors of the SDK that are for authors and engines, not for a plugin that runs. */
const notAtRunTime = new Set(
  [
    'command',
    'conformance',
    'testing',
    'client',
    'serve',
    'serve/denied-calls',
    'serve/load',
    'rpc',
    'managed',
    'managed/npm-packages',
    'engine',
    'frontend',
    'transport',
    'builder',
  ].map((name) => `./${name}`),
);

/** The SDK that this file is of, whichever form it has: sources, the published package, or the engine's bundles. */
const root = fileURLToPath(new URL('../', import.meta.url));
/** A source is TypeScript, whatever it was made of later. */
const ending = fileURLToPath(import.meta.url).endsWith('.ts') ? '.ts' : '.js';

/** The module that serves a packed plugin, relative to the SDK. */
export function servingModule(entry: Entry): string {
  return `${serving[entry]}${ending}`;
}

/** All of the SDK, and of the packages it needs, that a packed plugin may load, which for a program is nothing; native code for this machine's kind with glibc, as the SDK wants it. */
export function sdkFiles(entry: Entry): CodeFiles {
  const { exports, ...about } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly name: string;
    readonly version: string;
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  const doors = Object.entries(exports).flatMap(([name, place]) => {
    const path = typeof place === 'string' ? place : place.default;
    return entry === 'exec' || notAtRunTime.has(name) || path.endsWith('.json') ? [] : [[name, path] as const];
  });
  const entries = [
    ...[serving[entry], ...besides].map((name) => join(root, `${name}${ending}`)),
    ...doors.map(([, path]) => join(root, path)),
  ];
  const { modules, packages } = follow(entries);
  const files = new Map<string, { readonly from: string } | { readonly text: string }>();
  // A bundle's chunks lie beside the SDK's folder, and keep their place.
  for (const from of modules) files.set(join('sdk', relative(root, from)), { from });
  const { name, version } = about;
  files.set('sdk/package.json', {
    text: `${JSON.stringify({ name, version, type: 'module', exports: Object.fromEntries(doors) }, undefined, 2)}\n`,
  });
  for (const each of packages) for (const [to, from] of packageFiles(each, root)) files.set(to, { from });
  if (![...files.keys()].some((path) => path.endsWith('.node')))
    throw internal(`koffi has no native code for ${process.platform}-${process.arch} here`, {
      hint: 'install the packages of the SDK anew',
    });
  return new Map([...files].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Modules that these lead to, and packages by name. What is imported as a type only is not there at run time. */
function follow(entries: readonly string[]): { readonly modules: readonly string[]; readonly packages: readonly string[] } {
  const modules = new Set<string>();
  const packages = new Set<string>();
  const pending = [...entries];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (modules.has(path)) continue;
    if (!existsSync(path)) throw internal(`the SDK's ${relative(root, path)} is not there`);
    modules.add(path);
    if (path.endsWith('.json')) continue;
    for (const specifier of specifiersIn(readFileSync(path, 'utf8'))) {
      if (specifier.startsWith('.')) pending.push(join(dirname(path), specifier));
      else if (!specifier.startsWith('node:')) packages.add(specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'));
    }
  }
  return { modules: [...modules].toSorted(), packages: [...packages].toSorted() };
}

function specifiersIn(code: string): readonly string[] {
  const plain = code.replaceAll(/^(import|export) type [^;]*;$/gm, '').replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const imports = [...plain.matchAll(/\b(?:from|import)\s*\(?\s*['"]((?:\.{1,2}\/|@?[a-z])[^'"\s]*)['"]/g)];
  const required = [...plain.matchAll(/\brequire\d*\(['"](@?[a-z][^'":]*)['"]\)/g)];
  return [...imports, ...required].flatMap(([, specifier = '']) => (specifier === '' ? [] : [specifier]));
}

/** A package's code, of its own and of the packages with native code that it picks from, as far as they are installed. */
function packageFiles(name: string, from: string): readonly (readonly [to: string, from: string])[] {
  const folder = packageFolder(name, from);
  if (folder === undefined) return [];
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies?: object;
    readonly optionalDependencies?: object;
  };
  const own = readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const path = relative(folder, join(entry.parentPath, entry.name));
    const isOther = path.endsWith('.node') && /(^|\/)musl/.test(path);
    const isCode = /\.([cm]?js|json|node)$|^licen[cs]e/i.test(path) && !path.split(sep).includes('node_modules');
    return entry.isFile() && isCode && !isOther ? [[join('node_modules', name, path), join(folder, path)] as const] : [];
  });
  const needed = Object.keys({ ...dependencies, ...optionalDependencies });
  return [...own, ...needed.flatMap((each) => packageFiles(each, folder))];
}

/** By the folders above, as Node looks; a package need not export its package.json. */
function packageFolder(name: string, from: string): string | undefined {
  const folders = createRequire(join(from, 'x.js')).resolve.paths(name) ?? [];
  const found = folders.map((folder) => join(folder, name)).find((folder) => existsSync(join(folder, 'package.json')));
  return found === undefined ? undefined : realpathSync(found);
}
