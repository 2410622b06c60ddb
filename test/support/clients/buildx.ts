import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cacheDir as laneDir } from '../../lane/cache.ts';
import { Apt, missingForSetup } from '../../lane/setup-apt.ts';

/** buildx and compose of the next Debian, which are linked to nothing newer than this one's C library: unpacked, run in place, removed with the folder. */
const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gantry/buildx');
const plugins = join(folder, 'usr/libexec/docker/cli-plugins');

/** A folder for DOCKER_CONFIG that has both as plugins of the docker CLI; undefined when they cannot be fetched. */
export function buildxConfig(into: string): string | undefined {
  if (!existsSync(plugins) && !isFetched()) return undefined;
  const own = join(into, 'cli-plugins');
  mkdirSync(own, { recursive: true });
  for (const name of ['docker-buildx', 'docker-compose']) copyFileSync(join(plugins, name), join(own, name));
  return into;
}

function isFetched(): boolean {
  if (missingForSetup() !== undefined) return false;
  try {
    mkdirSync(laneDir, { recursive: true });
    // One apt at a time: the kernel lane's guests are made by the same.
    const command = [join(laneDir, 'lock'), process.execPath, ...process.execArgv, import.meta.filename];
    execFileSync('flock', command, { stdio: 'inherit', timeout: 5 * 60_000 });
    return existsSync(plugins);
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const apt = new Apt();
  apt.update();
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  for (const name of ['docker-buildx', 'docker-compose']) apt.unpack(name, fresh);
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
}
