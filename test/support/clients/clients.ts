import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cacheDir as laneDir } from '../../lane/cache.ts';
import { Apt, missingForSetup } from '../../lane/setup-apt.ts';
import type { CliResult } from './docker-api.ts';

/** Clients of the Docker API that this machine's Debian does not have: unpacked from the next one's packages, run in place, removed with the folder. */
const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gantry/clients');
const loader = join(folder, 'usr/lib64/ld-linux-x86-64.so.2');
const composeV2 = join(folder, 'usr/libexec/docker/cli-plugins/docker-compose');

/** For `npm test`: fetches what is missing where that is possible, saying so. Never throws. */
export function prepareClients(): void {
  if (existsSync(composeV2) || missingForSetup() !== undefined) return;
  console.log('fetching docker compose v2, once');
  try {
    mkdirSync(laneDir, { recursive: true });
    // One apt at a time: the kernel lane's guests are made by the same.
    execFileSync('flock', [join(laneDir, 'lock'), process.execPath, ...process.execArgv, import.meta.filename], {
      stdio: 'inherit',
      timeout: 10 * 60_000,
    });
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
  }
}

function fetchClients(): void {
  const apt = new Apt();
  apt.update();
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  // The programs are made for its C library, which may be newer than this machine's.
  for (const name of ['libc6', 'docker-compose']) apt.unpack(name, fresh);
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
}

/** docker compose v2 as a command; undefined when it is not there. */
export function composeCommand(): readonly string[] | undefined {
  if (!existsSync(composeV2) || !existsSync(loader)) return undefined;
  const libraries = globSync(join(folder, 'usr/lib/*-linux-gnu'))[0] ?? '';
  return [loader, '--library-path', libraries, composeV2];
}

/** docker-compose 1, the one in Python: Debian's until 12. */
export function oldComposeCommand(): readonly string[] | undefined {
  const program = '/usr/bin/docker-compose';
  const { error, stdout } = spawnSync(program, ['version', '--short'], { encoding: 'utf8' });
  return error === undefined && stdout.startsWith('1.') ? [program] : undefined;
}

/** A Python that has the docker module: Debian's, else the one in the path. */
export function dockerPython(): string | undefined {
  return ['/usr/bin/python3', 'python3'].find((python) => spawnSync(python, ['-c', 'import docker']).status === 0);
}

/** Runs a client to its end; what it prints comes back whole. */
export async function runClient(
  [file = '', ...words]: readonly string[],
  { cwd, env, timeoutMs = 120_000 }: { readonly cwd: string; readonly env: Readonly<Record<string, string>>; readonly timeoutMs?: number },
): Promise<CliResult> {
  const child = spawn(file, words, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
  const [code] = await once(child, 'close');
  return { code: code as number | null, ...output };
}

// Another may have done it while this one waited for the lock.
if (import.meta.main && !existsSync(composeV2)) fetchClients();
