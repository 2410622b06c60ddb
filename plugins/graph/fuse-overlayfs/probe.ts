import { existsSync } from 'node:fs';
import { run } from '@gantry/sdk/linux';

const program = 'fuse-overlayfs';
const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Whether its helpers can run here. Nothing is mounted for it: that is the engine's to do. */
export async function probeFuseOverlayfs(): Promise<{ readonly usable: boolean; readonly reason?: string }> {
  const version = await versionOfProgram();
  if (version === undefined) return { usable: false, reason: `${program} is not installed` };
  if (!existsSync('/dev/fuse')) return { usable: false, reason: 'this machine has no /dev/fuse' };
  return { usable: true };
}

/** "1.10"; undefined when it cannot be run. */
export async function versionOfProgram(): Promise<string | undefined> {
  const file = folders.map((folder) => `${folder}/${program}`).find((path) => existsSync(path));
  if (file === undefined) return undefined;
  try {
    const { stdout } = await run({ file, argv: [program, '--version'], env: {}, timeoutMs: 5_000 });
    return /fuse-overlayfs: version (\S+)/.exec(stdout.toString())?.[1] ?? 'unknown';
  } catch {
    return undefined;
  }
}
