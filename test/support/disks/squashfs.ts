import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Why file systems of squashfuse cannot be tried here; undefined: they can. */
export function missingForSquashfuse(): string | undefined {
  return ['/usr/bin/squashfuse', '/usr/bin/mksquashfs', '/dev/fuse'].map(missing).find(Boolean);
}

/** `needs …` for a file that is not there. */
export function missing(path: string): string | undefined {
  return existsSync(path) ? undefined : `needs ${path}`;
}

/** A squashfs image with these files. */
export function squashfsImage(path: string, files: Readonly<Record<string, string>>): void {
  const folder = `${path}.content`;
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  execFileSync('mksquashfs', [folder, path, '-quiet', '-noappend', '-no-progress', '-processors', '1'], { stdio: 'ignore' });
  rmSync(folder, { recursive: true });
}
