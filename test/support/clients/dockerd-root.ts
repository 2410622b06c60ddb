import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cacheDir as laneCache } from '../../lane/cache.ts';
import { Apt, missingForSetup } from '../../lane/setup-apt.ts';

const cacheDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gantry/dockerd');
/** Debian trixie, as far as its dockerd needs it. Never written to. */
export const dockerdRoot: string = join(cacheDir, 'root');

const mark = join(cacheDir, 'complete');
const packages = ['docker.io', 'containerd', 'runc', 'mount'];
const limitMs = 5 * 60_000;

/**
 * Unpacks trixie's dockerd with all that it needs into a cached folder, by an apt of its own, unless it is there: a minute, once. Nothing is installed on this machine.
 * Answers why that cannot be; undefined: it is there.
 */
export function prepareDockerd(): string | undefined {
  if (isReady()) return undefined;
  const missing = missingForSetup();
  if (missing !== undefined) return missing;
  // There is no network in the namespaces of tests.
  if (process.env['GANTRY_TEST_INSIDE'] !== undefined) return 'setting it up needs a network';
  mkdirSync(cacheDir, { recursive: true });
  const command = ['--pdeathsig', 'KILL', 'flock', '--no-fork', join(cacheDir, 'lock'), process.execPath, import.meta.filename];
  const { status, stderr } = spawnSync('setpriv', command, { encoding: 'utf8', timeout: limitMs, killSignal: 'SIGKILL' });
  if (isReady()) return undefined;
  return status === null ? `setting it up takes more than ${limitMs / 60_000} minutes here` : `setting it up failed: ${lastLine(stderr)}`;
}

function isReady(): boolean {
  return existsSync(mark) && readFileSync(mark, 'utf8') === recipe();
}

function recipe(): string {
  return createHash('sha256')
    .update(readFileSync(import.meta.filename))
    .digest('hex');
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

function setUp(): void {
  new Apt().update();
  const archives = join(cacheDir, 'archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  const options = ['-qq', '-y', '--no-install-recommends', '--download-only', '-o', `Dir::Cache::archives=${archives}`];
  const env = { ...process.env, APT_CONFIG: join(laneCache, 'apt/apt.conf') };
  execFileSync('apt-get', [...options, 'install', ...packages], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const root = `${dockerdRoot}.new`;
  rmSync(root, { recursive: true, force: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const archive of globSync(join(archives, '*.deb'))) if (!/\/base-files_/.test(archive)) execFileSync('dpkg', ['-x', archive, root]);
  for (const name of ['proc', 'sys', 'dev', 'run', 'tmp', 'etc', 'var', 'root']) mkdirSync(join(root, name), { recursive: true });
  const files = {
    passwd: 'root:x:0:0:root:/root:/bin/sh\n',
    group: 'root:x:0:\ndocker:x:1:\n',
    hosts: '127.0.0.1 localhost\n',
    'resolv.conf': '',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'etc', name), text);
  rmSync(join(root, 'usr/share'), { recursive: true, force: true });
  rmSync(dockerdRoot, { recursive: true, force: true });
  renameSync(root, dockerdRoot);
  rmSync(archives, { recursive: true });
  writeFileSync(mark, recipe());
}

// Another may have done it while this one waited for the lock.
if (import.meta.main && !isReady()) setUp();
