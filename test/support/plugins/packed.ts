import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { buildPackage } from '../../build/package.ts';
import { buildSdk } from '../../build/sdk.ts';

const top = join(import.meta.dirname, '../../..');

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
  const packed = await packedTarballs(folder, { withTypes: false });
  const unpacked = (name: keyof Packages): string => {
    const to = join(modules, '@gantry', name);
    mkdirSync(to, { recursive: true });
    execFileSync('tar', ['-xzf', packed[name], '-C', to, '--strip-components=1']);
    return to;
  };
  return { engine: unpacked('engine'), sdk: unpacked('sdk') };
}

/** What is uploaded to publish them: the files that npm packs. */
export async function packedTarballs(folder: string, { withTypes = true }: { readonly withTypes?: boolean } = {}): Promise<Packages> {
  await buildPackage(join(folder, 'built/engine'), { withTypes });
  buildSdk(join(folder, 'built/sdk'));
  const pack = (name: string): string => {
    const words = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
    return join(folder, execFileSync('npm', words, { cwd: join(folder, 'built', name), encoding: 'utf8' }).trim());
  };
  return { engine: pack('engine'), sdk: pack('sdk') };
}
