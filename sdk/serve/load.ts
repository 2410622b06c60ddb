import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { invalidArgument, messageOf } from '../errors.ts';
import { checkManifest, type Manifest } from '../manifest.ts';
import type { PluginModule } from '../plugin.ts';
import { importPlugin } from '../rpc/import-plugin.ts';

/** A plugin's folder, as its module and manifest. */
export async function loadPlugin(dir: string): Promise<{ readonly module: PluginModule; readonly manifest: Manifest }> {
  const manifest = manifestIn(dir);
  if (manifest.entry.node === undefined) throw invalidArgument(`plugin ${manifest.name} has no entry.node`);
  lendSdk();
  return { module: await importPlugin(pathToFileURL(join(dir, manifest.entry.node)).href), manifest };
}

/** gantry-plugin.json, or the key "gantry" of package.json. */
export function manifestIn(dir: string): Manifest {
  for (const [name, key] of [
    ['gantry-plugin.json', undefined],
    ['package.json', 'gantry'],
  ] as const) {
    let text: string;
    try {
      text = readFileSync(join(dir, name), 'utf8');
    } catch {
      continue;
    }
    try {
      const document = JSON.parse(text) as Readonly<Record<string, unknown>>;
      if (key === undefined || key in document) return checkManifest(key === undefined ? document : document[key]);
    } catch (error) {
      throw invalidArgument(`${name}: ${messageOf(error)}`, { cause: error });
    }
  }
  throw invalidArgument(`${dir} has no gantry-plugin.json, and no package.json with "gantry"`);
}

const sdk = '@gantry/sdk';
let isLent = false;

/** A plugin without its own copy of the SDK gets the engine's, so that a folder with two files is a whole plugin. */
export function lendSdk(): void {
  if (isLent) return;
  isLent = true;
  const places = ownExports();
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier !== sdk && !specifier.startsWith(`${sdk}/`)) return next(specifier, context);
      try {
        return next(specifier, context);
      } catch (error) {
        const place = places[`.${specifier.slice(sdk.length)}`];
        if (place === undefined) throw error;
        return { url: new URL(place, root).href, shortCircuit: true };
      }
    },
  });
}

/** The SDK that this file is of. */
const root = new URL('../', import.meta.url);

function ownExports(): Readonly<Record<string, string>> {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  return Object.fromEntries(Object.entries(exports).map(([name, place]) => [name, typeof place === 'string' ? place : place.default]));
}
