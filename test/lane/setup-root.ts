import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './cache.ts';
import { type Apt, sources, suite } from './setup-apt.ts';

/** Makes a Debian in a folder, by mmdebstrap, which is fetched where the machine lacks it. A second call begins anew. */
export function bootstrap(apt: Apt, folder: string, packages: readonly string[]): void {
  if (!existsSync(join(tools, 'mmdebstrap'))) apt.unpack('mmdebstrap', join(cacheDir, 'tools'));
  rmSync(folder, { recursive: true, force: true });
  const excluded = ['man', 'doc', 'locale', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`);
  const aptOptions = ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"'];
  const options = ['--quiet', '--variant=apt', `--include=${packages.join(',')}`, ...aptOptions, ...excluded];
  run(['nice', '-n', '10', 'mmdebstrap', ...options, suite, folder, ...sources()]);
}

/** Throws with the end of what it printed. */
export function run([command = '', ...given]: readonly string[], { cwd }: { readonly cwd?: string } = {}): void {
  const { status, error, stdout } = spawnSync('sh', ['-c', 'exec "$@" 2>&1', 'sh', command, ...given], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, PATH: `${tools}:${process.env['PATH']}` },
    ...(cwd !== undefined && { cwd }),
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${[command, ...given].join(' ').slice(0, 200)} ended with ${status}:\n${stdout.slice(-3000)}`);
}

const tools = join(cacheDir, 'tools/usr/bin');
