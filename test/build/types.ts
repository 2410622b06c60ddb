import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

/**
 * Declarations for who embeds the engine, by path in the package: what `core/index.ts` says, and all that it speaks of, the SDK's included, since the package
 * depends on none. They need @types/node and nothing else.
 */
export function declarations(top: string): readonly (readonly [path: string, text: string])[] {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-types-'));
  try {
    const given = ['-p', join(top, 'test/build/tsconfig.types.json'), '--outDir', folder];
    execFileSync(process.execPath, [join(top, 'node_modules/typescript/bin/tsc'), ...given], { stdio: 'inherit' });
    return [...reachable(folder, sdkDoors(top))].map(([path, text]) => [join(typesFolder, path), text]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const typesFolder = 'types';
const entry = 'core/index.d.ts';
export const typesEntry: string = `./${typesFolder}/${entry}`;

const specifier = /((?:from|import\() ?['"])([^'"]+)(['"])/g;

function reachable(folder: string, doors: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    found.set(path, '');
    const text = readFileSync(join(folder, path), 'utf8').replaceAll(specifier, (whole, before: string, name: string, after: string) => {
      if (name.startsWith('node:')) return whole;
      const source = name.startsWith('.') ? join(dirname(path), name) : doors.get(name);
      if (source === undefined) throw new Error(`${path} speaks of types of ${name}, which the package does not bring`);
      visit(source.replace(/\.ts$/, '.d.ts'));
      const way = relative(dirname(path), source.replace(/\.ts$/, '.js'));
      return `${before}${way.startsWith('.') ? way : `./${way}`}${after}`;
    });
    found.set(path, text);
  };
  visit(entry);
  return found;
}

/** "@gantry/sdk/volume" → "sdk/volume/index.ts" */
function sdkDoors(top: string): ReadonlyMap<string, string> {
  const { name, exports } = JSON.parse(readFileSync(join(top, 'sdk/package.json'), 'utf8')) as {
    readonly name: string;
    readonly exports: Readonly<Record<string, string>>;
  };
  return new Map(Object.entries(exports).map(([door, path]) => [join(name, door), join('sdk', path)]));
}
