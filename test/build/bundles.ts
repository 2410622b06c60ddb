import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { requireBuiltins } from './builtins.ts';
import { leaveOutUnused } from './left-out.ts';
import { keepPlaces, settlePlaces } from './places.ts';

/** Contents by path in the package, and what was read for them, relative to the checkout, with what came from node_modules. */
export interface Bundle {
  readonly files: ReadonlyMap<string, string>;
  readonly inputs: readonly string[];
}

/**
 * All code as JavaScript, by program. Four kinds of entries never meet in one thread and share nothing, so that each has few and large chunks:
 * the engine with its plugins (which share one SDK), what runs other plugins outside of it, the main files of its worker threads, and the
 * command line.
 */
export async function makeBundles(top: string): Promise<Readonly<Record<'core/bin/gantryd' | 'core/cli/index', Bundle>>> {
  const entries = ['core/bin/gantryd.ts', 'core/index.ts', ...globSync('plugins/*/*/main.ts', { cwd: top }).toSorted()];
  const [commands, ...engine] = await Promise.all([
    bundle(top, { entryPoints: ['core/cli/index.ts'], chunkNames: 'chunks/cli/[name]-[hash]' }),
    bundle(top, { entryPoints: [...programs, ...sdkExports(top)], chunkNames: 'chunks/sdk/[name]-[hash]' }),
    bundle(top, { entryPoints: entries, chunkNames: 'chunks/engine/[name]-[hash]' }),
    ...workers(top).map((worker) => bundle(top, { entryPoints: [worker], splitting: false })),
  ]);
  return { 'core/cli/index': commands, 'core/bin/gantryd': joined(engine) };
}

/** Started as processes of their own, by their paths. */
const programs = ['serve/process', 'legacy/process', 'legacy/process-exec', 'legacy/mount-child', 'legacy/helper-worker'].map(
  (name) => `sdk/${name}.ts`,
);

function joined(bundles: readonly Bundle[]): Bundle {
  return {
    files: new Map(bundles.flatMap(({ files }) => [...files])),
    inputs: [...new Set(bundles.flatMap(({ inputs }) => inputs))].toSorted(),
  };
}

async function bundle(top: string, options: BuildOptions): Promise<Bundle> {
  const { outputFiles = [], metafile } = await build({
    absWorkingDir: top,
    outbase: '.',
    outdir: '.',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'esnext', // Node 24 has it all, and esbuild does not know that of `using`
    external: ['koffi'], // native
    legalComments: 'none',
    logLevel: 'error',
    metafile: true,
    write: false,
    allowOverwrite: true,
    plugins: [keepPlaces(top), leaveOutUnused],
    ...options,
  });
  const files = outputFiles.map(({ path, text }) => {
    const name = path.slice(top.length + 1);
    return [name, requireBuiltins(settlePlaces(name, text))] as const;
  });
  return { files: new Map(files), inputs: Object.keys(metafile?.inputs ?? {}) };
}

/** What a plugin may import of the SDK, for those that bring no copy of their own. */
export function sdkExports(top: string): string[] {
  const { exports } = JSON.parse(readFileSync(join(top, 'sdk/package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, string>>;
  };
  return Object.values(exports)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join('sdk', path));
}

/** Files that are started as `new Worker(new URL('<file>', import.meta.url))`. */
function workers(top: string): string[] {
  return globSync('{core,plugins,sdk}/**/*.ts', { cwd: top, exclude: (name) => name === 'node_modules' }).flatMap((file) =>
    [...readFileSync(join(top, file), 'utf8').matchAll(/new Worker\(\s*new URL\('([^']+)'/g)].map(([, main = '']) =>
      join(file, '..', main),
    ),
  );
}
