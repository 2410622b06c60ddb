import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { buildPackage } from '../build/package.ts';
import { buildSdk } from '../build/sdk.ts';

const top = join(import.meta.dirname, '../..');

export interface Packages {
  readonly engine: string;
  readonly sdk: string;
}

/** The engine and the SDK as who installed them has them: built, packed by npm, and unpacked into node_modules of a folder, with what they depend on beside them. */
export async function packedPackages(folder: string): Promise<Packages> {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  for (const name of readdirSync(join(top, 'node_modules')).filter((entry) => entry !== '@gantry' && !entry.startsWith('.')))
    symlinkSync(join(top, 'node_modules', name), join(modules, name));
  await buildPackage(join(folder, 'built/engine'));
  buildSdk(join(folder, 'built/sdk'));
  const unpacked = (name: string): string => {
    const to = join(modules, '@gantry', name);
    mkdirSync(to, { recursive: true });
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
    const file = execFileSync('npm', pack, { cwd: join(folder, 'built', name), encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', join(folder, file), '-C', to, '--strip-components=1']);
    return to;
  };
  return { engine: unpacked('engine'), sdk: unpacked('sdk') };
}
