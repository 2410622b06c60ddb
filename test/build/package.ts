import { globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeBundles } from './bundles.ts';
import { licences } from './licences.ts';
import { sourcesOf } from './sources.ts';
import { declarations, typesEntry } from './types.ts';

export const top = join(import.meta.dirname, '../..');
const keptChunksMs = 24 * 3600e3;

/**
 * Builds the package into a folder. Each file is replaced as a whole and the lists of sources come last, so that two builds at once do no
 * harm. An engine that runs from the folder goes on: chunks that it may still load stay for a day. Types are for what is published.
 */
export async function buildPackage(folder: string, { withTypes = true }: { readonly withTypes?: boolean } = {}): Promise<void> {
  const beganMs = Date.now();
  const programs = Object.entries(await makeBundles(top));
  const code = programs.flatMap(([, { files }]) => [...files]);
  const inputs = programs.flatMap(([, bundle]) => bundle.inputs);
  const contents = new Map([
    ...code,
    ...manifests(),
    ...starters(),
    ...(withTypes ? declarations(top) : []),
    ['sdk/package.json', sdkPackageJson()],
    ['LICENCES', licences(top, inputs)],
  ]);
  contents.set('package.json', packageJson([...contents.keys()]));
  for (const [program] of programs) rmSync(join(folder, sourcesName(program)), { force: true });
  for (const [path, text] of contents) replace(join(folder, path), text);
  removeOthers(folder, contents);
  for (const [program, bundle] of programs)
    replace(join(folder, sourcesName(program)), JSON.stringify(sourcesOf(top, bundle.inputs, beganMs)));
}

/** Read by `core/bin/code.mjs`. */
function sourcesName(program: string): string {
  return `${program}.sources.json`;
}

function manifests(): [string, string][] {
  return globSync('plugins/*/*/gantry-plugin.json', { cwd: top }).map((path) => {
    const manifest = JSON.parse(read(path)) as { readonly entry: { readonly node?: string } };
    const entry = { ...manifest.entry, node: manifest.entry.node?.replace(/\.ts$/, '.js') };
    return [path, json({ ...manifest, entry })];
  });
}

/** As they are: they find the code next to them. */
function starters(): [string, string][] {
  return globSync('core/bin/*.mjs', { cwd: top }).map((path) => [path, read(path)]);
}

/** Where the SDK's doors are, for plugins that bring no copy of it. */
function sdkPackageJson(): string {
  const { name, version, type, exports } = JSON.parse(read('sdk/package.json')) as Record<string, unknown> & {
    readonly exports: Readonly<Record<string, string>>;
  };
  return json({
    name,
    version,
    type,
    private: true,
    exports: Object.fromEntries(Object.entries(exports).map(([door, path]) => [door, path.replace(/\.ts$/, '.js')])),
  });
}

/** Only `files` are published, not the chunks of earlier builds. All dependencies are bundled but koffi, which brings a library of its own. */
function packageJson(files: readonly string[]): string {
  const { name, version, description, license, type, engines, bin } = JSON.parse(read('package.json')) as Record<string, unknown>;
  const { koffi } = (JSON.parse(read('sdk/package.json')) as { readonly dependencies: Readonly<Record<string, string>> }).dependencies;
  return json({
    name,
    version,
    description,
    license,
    type,
    engines,
    bin,
    exports: { '.': { ...(files.some((file) => file.endsWith('.d.ts')) && { types: typesEntry }), default: './core/index.js' } },
    files,
    dependencies: { koffi },
  });
}

/** A plugin that is no more must not be found; the chunks of earlier builds may still be loaded. */
function removeOthers(folder: string, kept: ReadonlyMap<string, string>): void {
  for (const path of globSync('{core,plugins,sdk,chunks,types}/**/*.{js,mjs,json,d.ts}', { cwd: folder })) {
    const file = join(folder, path);
    const isChunk = path.startsWith('chunks/') && Date.now() - statSync(file).mtimeMs < keptChunksMs;
    if (!kept.has(path) && !isChunk) rmSync(file, { force: true });
  }
}

function replace(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: path.endsWith('.mjs') ? 0o755 : 0o644 });
  renameSync(temporary, path);
}

function read(path: string): string {
  return readFileSync(join(top, path), 'utf8');
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
