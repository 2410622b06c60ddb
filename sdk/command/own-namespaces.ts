import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { forbidden } from '../errors.ts';

const insideMark = 'GANTRY_SDK_INSIDE';

/**
 * Runs this program again, in mount and network namespaces of its own that go away with it, and answers its exit code; inside them, answers
 * nothing. Temporary files are on a tmpfs there: overlayfs cannot write on another overlay, as the root of a container is one.
 */
export function inOwnNamespaces(): number | undefined {
  if (process.env[insideMark] !== undefined) return undefined;
  if (process.getuid?.() !== 0)
    throw forbidden('mounts need root', { hint: 'run it with sudo, or leave --mounts out: most cases need none' });
  const tmp = mkdtempSync(join(tmpdir(), 'gantry-sdk-'));
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const script = 'mount -t tmpfs -o mode=1777 tmpfs "$1" && export TMPDIR="$1" && shift && exec "$@"';
  const { status, error } = spawnSync(
    'unshare',
    ['--mount', '--net', '--propagation', 'private', 'sh', '-c', script, 'sh', tmp, ...again],
    {
      stdio: 'inherit',
      env: { ...process.env, [insideMark]: '1' },
    },
  );
  rmdirSync(tmp);
  if (error !== undefined) throw error;
  return status ?? 1;
}
